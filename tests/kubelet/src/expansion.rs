//! `$(VARIABLE)`: `third_party/forked/golang/expansion/expand.go`.

/// `Expand`: replaces each `$(name)` by what `mapping` gives for the name. `$$` stands for `$`, so
/// that `$$(name)` refers to nothing.
pub fn expand(input: &str, mut mapping: impl FnMut(&str) -> String) -> String {
    let mut output = String::new();
    let mut rest = input;
    while let Some(at) = rest.find('$') {
        output.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let mut chars = after.chars();
        rest = match chars.next() {
            None => {
                output.push('$');
                after
            }
            Some('$') => {
                output.push('$');
                chars.as_str()
            }
            Some('(') => match after.split_once(')') {
                Some((name, behind)) => {
                    output.push_str(&mapping(&name[1..]));
                    behind
                }
                None => {
                    output.push_str("$(");
                    chars.as_str()
                }
            },
            Some(other) => {
                output.push('$');
                output.push(other);
                chars.as_str()
            }
        };
    }
    output + rest
}

/// `syntaxWrap`: the text of a reference to a variable.
pub(crate) fn reference(name: &str) -> String {
    format!("$({name})")
}

#[cfg(test)]
mod tests;
