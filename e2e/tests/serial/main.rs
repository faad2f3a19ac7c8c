//! Tests that break or replace the operator; one after the other, by their names. Each begins
//! with what `make deploy` installs.

mod calm;
mod faults;
mod helm;
mod restricted;
mod uninstall;
mod upgrade;
mod users;
