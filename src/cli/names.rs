//! Names on the command line, as kubectl takes them: `KIND/NAME`, or `KIND NAME`.

use std::str::FromStr;

use clap::builder::ValueRange;
use clap::error::ErrorKind;
use clap::{Arg, ArgMatches, Command, FromArgMatches};
use thiserror::Error;

use crate::kinds::{ApiType, SourceKind, WorkloadKind};
use crate::report::name::{NameError, Root, WorkloadName};

/// Id of the argument.
pub const NAMES: &str = "names";

/// What is named.
pub trait Named: FromStr<Err = NameError> + Clone {
    /// How help calls it.
    const VALUE: &'static str;
    /// Its help where one is wanted.
    const ONE: &'static str;
    /// Its help where several may be named.
    const MANY: &'static str;

    /// The kinds of object that it may be.
    fn apis() -> Vec<&'static ApiType>;
}

/// One name.
#[derive(Clone, Debug)]
pub struct One<N>(pub N);

/// Any number of names.
#[derive(Clone, Debug)]
pub struct Many<N>(pub Vec<N>);

/// Reason why words are no names.
#[derive(Debug, Error)]
enum WordsError {
    #[error(transparent)]
    Name(#[from] NameError),
    #[error("{0:?} has a kind already: write either KIND/NAME each or KIND NAME ...")]
    Twice(String),
    #[error("name one")]
    Several,
}

impl Named for WorkloadName {
    const VALUE: &'static str = "WORKLOAD";
    const ONE: &'static str = "The workload: deployment/web or deployment web, sts/db, ds/agent";
    const MANY: &'static str = "Only these workloads, as KIND/NAME each or as KIND NAME ...";

    fn apis() -> Vec<&'static ApiType> {
        WorkloadKind::all().map(WorkloadKind::api).collect()
    }
}

impl Named for Root {
    const VALUE: &'static str = "SOURCE|WORKLOAD";
    const ONE: &'static str = "A source (configmap/app or configmap app, secret/db) or a workload (deployment/web, sts/db, ds/agent)";
    const MANY: &'static str = "Sources or workloads, as KIND/NAME each or as KIND NAME ...";

    fn apis() -> Vec<&'static ApiType> {
        let sources = SourceKind::all().map(SourceKind::api);
        sources.chain(WorkloadName::apis()).collect()
    }
}

/// The names in these words.
fn names<N: Named>(words: &[&String]) -> Result<Vec<N>, WordsError> {
    match words {
        [kind, names @ ..] if !kind.contains('/') && !names.is_empty() => {
            if let Some(name) = names.iter().find(|name| name.contains('/')) {
                return Err(WordsError::Twice((*name).clone()));
            }
            let parsed = names.iter().map(|name| format!("{kind}/{name}").parse());
            Ok(parsed.collect::<Result<_, _>>()?)
        }
        words => Ok(words
            .iter()
            .map(|word| word.parse())
            .collect::<Result<_, _>>()?),
    }
}

fn read<N: Named>(matches: &ArgMatches) -> Result<Vec<N>, clap::Error> {
    let words: Vec<_> = matches.get_many(NAMES).into_iter().flatten().collect();
    names(&words).map_err(|error| refused(&error))
}

fn refused(error: &WordsError) -> clap::Error {
    clap::Error::raw(ErrorKind::ValueValidation, format!("{error}\n"))
}

fn argument<N: Named>(number: impl Into<ValueRange>, help: &'static str) -> Arg {
    Arg::new(NAMES)
        .value_name(N::VALUE)
        .num_args(number)
        .help(help)
}

impl<N: Named> FromArgMatches for One<N> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        match <[N; 1]>::try_from(read(matches)?) {
            Ok([name]) => Ok(Self(name)),
            Err(_) => Err(refused(&WordsError::Several)),
        }
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl<N: Named> FromArgMatches for Many<N> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        read(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl<N: Named> clap::Args for One<N> {
    fn augment_args(command: Command) -> Command {
        command.arg(argument::<N>(1..=2, N::ONE).required(true))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<N: Named> clap::Args for Many<N> {
    fn augment_args(command: Command) -> Command {
        command.arg(argument::<N>(.., N::MANY))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Vec<String>, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let names = names::<WorkloadName>(&words.iter().collect::<Vec<_>>());
        let names = names.map_err(|error| error.to_string())?;
        Ok(names.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_kind_may_be_a_word_of_its_own() {
        let cases: [(&str, &[&str]); 5] = [
            ("", &[]),
            ("deploy/web", &["deployment/web"]),
            ("deploy web", &["deployment/web"]),
            (
                "deployments.apps web api",
                &["deployment/web", "deployment/api"],
            ),
            ("deploy/web sts/db", &["deployment/web", "statefulset/db"]),
        ];
        for (line, expected) in cases {
            assert_eq!(read(line).unwrap(), expected, "{line}");
        }
    }

    #[test]
    fn what_names_nothing_is_refused() {
        let cases = [
            (
                "deploy",
                "write KIND/NAME or KIND NAME, such as deployment/web",
            ),
            ("deploy sts/db", "\"sts/db\" has a kind already"),
            ("deploy/web db", "write KIND/NAME or KIND NAME"),
            ("job web", "\"job\" is none of deployment (deploy)"),
            ("deploy Web", "can't be a name"),
        ];
        for (line, expected) in cases {
            let said = read(line).unwrap_err();
            assert!(said.contains(expected), "{line}: {said}");
        }
    }
}
