//! The same network seen by `fe2o3-amqp`.

use std::time::Duration;

use fe2o3_amqp::types::messaging::{Message, Outcome, Properties, Source};
use fe2o3_amqp::types::primitives::Value;
use fe2o3_amqp::{Connection, Receiver, Sender, Session};
use moorline_tests::DEADLINE;

use super::Ground;

pub(crate) fn every_scenario(ground: &Ground) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (from, to) = (super::url(ground.from), super::url(ground.to));
    runtime.block_on(async {
        within(messages_in_order(&from, &to)).await;
        within(messages_in_order(&to, &from)).await;
        within(requests(&from, &to)).await;
        within(a_large_message(&from, &to)).await;
    });
}

async fn within(scenario: impl Future<Output = ()>) {
    tokio::time::timeout(DEADLINE, scenario).await.expect("it hangs");
}

async fn messages_in_order(from: &str, to: &str) {
    let address = format!("queue-{}", fastrand::u64(..));
    let mut near = Connection::open("fe2o3-from", from).await.unwrap();
    let mut far = Connection::open("fe2o3-to", to).await.unwrap();
    let (mut near_session, mut far_session) =
        (Session::begin(&mut near).await.unwrap(), Session::begin(&mut far).await.unwrap());
    let mut receiver = Receiver::attach(&mut far_session, "in", address.as_str()).await.unwrap();
    let mut sender = Sender::attach(&mut near_session, "out", address.as_str()).await.unwrap();
    let reading = tokio::spawn(async move {
        for expected in 0..1000_i64 {
            let delivery = receiver.recv::<i64>().await.unwrap();
            assert_eq!(*delivery.body(), expected);
            receiver.accept(&delivery).await.unwrap();
        }
        receiver.close().await.unwrap();
    });
    for number in 0..1000_i64 {
        let outcome = sender.send(number).await.unwrap();
        assert!(matches!(outcome, Outcome::Accepted(_)), "{outcome:?}");
    }
    reading.await.unwrap();
    sender.close().await.unwrap();
    // Its answer is an error when the peer's end of a session is on its way; what was to be seen is seen by now.
    let _ = near.close().await;
    let _ = far.close().await;
}

async fn requests(from: &str, to: &str) {
    let address = format!("service-{}", fastrand::u64(..));
    let mut near = Connection::open("fe2o3-asks", from).await.unwrap();
    let mut far = Connection::open("fe2o3-answers", to).await.unwrap();
    let (mut near_session, mut far_session) =
        (Session::begin(&mut near).await.unwrap(), Session::begin(&mut far).await.unwrap());
    let mut requests = Receiver::attach(&mut far_session, "requests", address.as_str()).await.unwrap();
    let mut answers = Sender::builder()
        .name("answers")
        .target(fe2o3_amqp::types::messaging::Target::default())
        .attach(&mut far_session)
        .await
        .unwrap();
    let source = Source::builder().dynamic(true).build();
    let mut replies = Receiver::builder().name("replies").source(source).attach(&mut near_session).await.unwrap();
    let reply_to = replies.source().as_ref().and_then(|source| source.address.clone()).expect("an address");
    let mut asks = Sender::attach(&mut near_session, "asks", address.as_str()).await.unwrap();
    tokio::spawn(async move {
        while let Ok(delivery) = requests.recv::<Value>().await {
            let properties = delivery.message().properties.clone().unwrap();
            requests.accept(&delivery).await.unwrap();
            let properties = Properties::builder().to(properties.reply_to.unwrap()).build();
            let answer = Message::builder().properties(properties).value(delivery.into_body()).build();
            answers.send(answer).await.unwrap();
        }
    });
    for number in 0..100_i64 {
        let properties = Properties::builder().reply_to(reply_to.clone()).build();
        asks.send(Message::builder().properties(properties).value(number).build()).await.unwrap();
        let answer = tokio::time::timeout(Duration::from_secs(30), replies.recv::<i64>()).await.unwrap().unwrap();
        assert_eq!(*answer.body(), number);
        replies.accept(&answer).await.unwrap();
    }
    // Its answer is an error when the peer's end of a session is on its way; what was to be seen is seen by now.
    let _ = near.close().await;
    let _ = far.close().await;
}

async fn a_large_message(from: &str, to: &str) {
    let address = format!("queue-{}", fastrand::u64(..));
    let mut near = Connection::open("fe2o3-from", from).await.unwrap();
    let mut far = Connection::open("fe2o3-to", to).await.unwrap();
    let (mut near_session, mut far_session) =
        (Session::begin(&mut near).await.unwrap(), Session::begin(&mut far).await.unwrap());
    let mut receiver = Receiver::attach(&mut far_session, "in", address.as_str()).await.unwrap();
    let mut sender = Sender::attach(&mut near_session, "out", address.as_str()).await.unwrap();
    let body = "y".repeat(5_000_000);
    let sent = body.clone();
    let sending = tokio::spawn(async move {
        let outcome = sender.send(sent).await.unwrap();
        assert!(matches!(outcome, Outcome::Accepted(_)), "{outcome:?}");
    });
    let delivery = receiver.recv::<String>().await.unwrap();
    assert!(*delivery.body() == body, "a large message arrived altered");
    receiver.accept(&delivery).await.unwrap();
    sending.await.unwrap();
    // It ends a connection by itself when the last session is dropped, and may have done so.
    let _ = near.close().await;
    let _ = far.close().await;
}
