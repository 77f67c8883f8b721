//! Where podman's answers leave docker's words.
//!
//! podman passes on some states of its own (`stopped`, for the moment between a container's end and its tidying up),
//! and bollard refuses what docker does not say. Such an answer is read again with docker's word for it.

use bollard::errors::Error;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The answer, with the states that `states` finds in it in docker's words.
pub(crate) fn understood<T: DeserializeOwned>(
    answer: Result<T, Error>,
    states: impl FnOnce(&mut Value) -> Vec<&mut Value>,
) -> Result<T, Error> {
    let (contents, error) = match answer {
        Err(Error::JsonDataError { contents, message, column }) => {
            (contents.clone(), Error::JsonDataError { message, contents, column })
        }
        answer => return answer,
    };
    let Ok(mut document) = serde_json::from_str::<Value>(&contents) else { return Err(error) };
    for word in states(&mut document) {
        *word = translated(word.as_str().unwrap_or_default()).into();
    }
    serde_json::from_value(document).map_err(|_| error)
}

/// docker's word for a state of podman's; empty if it has none.
fn translated(word: &str) -> &str {
    match word {
        "stopped" => "exited",
        "configured" | "initialized" => "created",
        "created" | "running" | "paused" | "restarting" | "removing" | "exited" | "dead" => word,
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::models::{ContainerInspectResponse, ContainerStateStatusEnum};

    #[test]
    fn states_of_podman_have_words_of_docker() {
        let read = |status: &str| {
            let contents = format!(r#"{{"Id":"1","State":{{"Status":"{status}"}}}}"#);
            let answer = Err(Error::JsonDataError { message: String::new(), contents, column: 0 });
            let said: ContainerInspectResponse =
                understood(answer, |document| document.pointer_mut("/State/Status").into_iter().collect()).unwrap();
            said.state.unwrap().status.unwrap()
        };
        assert_eq!(read("stopped"), ContainerStateStatusEnum::EXITED);
        assert_eq!(read("initialized"), ContainerStateStatusEnum::CREATED);
        assert_eq!(read("stopping"), ContainerStateStatusEnum::EMPTY);
        assert_eq!(read("running"), ContainerStateStatusEnum::RUNNING);
    }
}
