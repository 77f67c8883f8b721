//! The engine against an independent implementation: `fe2o3-amqp`.

use crate::support::driver::{Broker, Client, Shared, config, drive, now, server, text};
use fe2o3_amqp::acceptor::{
    ConnectionAcceptor, LinkAcceptor, LinkEndpoint, ListenerSessionHandle, SaslAnonymousMechanism, SessionAcceptor,
};
use fe2o3_amqp::connection::ConnectionHandle;
use fe2o3_amqp::link::DetachError;
use fe2o3_amqp::link::receiver::CreditMode;
use fe2o3_amqp::sasl_profile::SaslProfile;
use fe2o3_amqp::types::messaging::Outcome;
use fe2o3_amqp::{Connection as Peer, Receiver, Sender, Session};
use moorline_amqp::connection::Closed;
use moorline_amqp::{Connection, DeliveryState, Sasl};
use std::future::Future;
use std::time::Duration;

const SIZES: [usize; 3] = [1, 10 * 1024, 1024 * 1024];

/// Runs a test on a runtime of its own, with a limit.
fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(60), test).await.expect("it hangs") })
}

/// A connection of the peer's to a broker on our engine.
async fn connect(sasl: Option<SaslProfile>, frame: u32) -> (ConnectionHandle<()>, Shared) {
    let (near, far) = tokio::io::duplex(20_000);
    let broker = Broker::default();
    let log = Shared::clone(&broker.log);
    tokio::spawn(drive(near, server(), broker));
    let mut builder = Peer::builder().container_id("peer").max_frame_size(frame);
    if let Some(sasl) = sasl {
        builder = builder.sasl_profile(sasl);
    }
    (builder.open_with_stream(far).await.unwrap(), log)
}

#[test]
fn messages_to_us_get_the_outcome_that_we_give() {
    run(async {
        for frame in [512, 16_384] {
            let (mut connection, log) = connect(None, frame).await;
            let mut session = Session::begin(&mut connection).await.unwrap();
            for address in ["accept", "reject", "release", "modify"] {
                let mut sender = Sender::attach(&mut session, format!("to-{address}"), address).await.unwrap();
                for size in SIZES {
                    let outcome = sender.send(text(size)).await.unwrap();
                    let fits = match address {
                        "accept" => matches!(outcome, Outcome::Accepted(_)),
                        "reject" => matches!(&outcome, Outcome::Rejected(rejected) if rejected.error.is_some()),
                        "release" => matches!(outcome, Outcome::Released(_)),
                        _ => matches!(&outcome, Outcome::Modified(modified) if modified.delivery_failed == Some(true)),
                    };
                    assert!(fits, "{address}: {outcome:?}");
                }
                sender.close().await.unwrap();
            }
            session.end().await.unwrap();
            connection.close().await.unwrap();
            assert_eq!(log.lock().unwrap().received, SIZES.repeat(4));
        }
    });
}

#[test]
fn messages_from_us_arrive_whole() {
    run(async {
        let (mut connection, log) = connect(Some(SaslProfile::Anonymous), 4_096).await;
        let mut session = Session::begin(&mut connection).await.unwrap();
        for size in SIZES {
            let mut receiver = Receiver::attach(&mut session, format!("s{size}"), format!("5:{size}")).await.unwrap();
            for n in 0..5 {
                let delivery = receiver.recv::<String>().await.unwrap();
                assert_eq!(delivery.body(), &text(size));
                match n {
                    0 => receiver.reject(&delivery, None).await.unwrap(),
                    1 => receiver.release(&delivery).await.unwrap(),
                    _ => receiver.accept(&delivery).await.unwrap(),
                }
            }
            receiver.close().await.unwrap();
        }
        session.end().await.unwrap();
        connection.close().await.unwrap();
        let log = log.lock().unwrap();
        for outcomes in log.outcomes.chunks(5) {
            let (first, rest) = outcomes.split_at(2);
            assert_eq!(first, [DeliveryState::Rejected(None), DeliveryState::Released]);
            assert_eq!(rest, [DeliveryState::Accepted, DeliveryState::Accepted, DeliveryState::Accepted]);
        }
        assert_eq!(log.outcomes.len(), 15);
        assert_eq!(log.user.as_deref(), Some("anonymous"));
        assert_eq!(log.closed, Some(Closed::Remote(None)));
    });
}

#[test]
fn plain_is_checked() {
    run(async {
        let profile = |password: &str| SaslProfile::Plain { username: "anna".into(), password: password.into() };
        let (mut connection, log) = connect(Some(profile("s3cret")), 16_384).await;
        connection.close().await.unwrap();
        assert_eq!(log.lock().unwrap().user.as_deref(), Some("anna"));
        let (near, far) = tokio::io::duplex(4_096);
        tokio::spawn(drive(near, server(), Broker::default()));
        let refused = Peer::builder().container_id("peer").sasl_profile(profile("guess"));
        assert!(refused.open_with_stream(far).await.is_err());
    });
}

#[test]
fn a_drain_uses_up_the_credit() {
    run(async {
        let (mut connection, log) = connect(None, 16_384).await;
        let mut session = Session::begin(&mut connection).await.unwrap();
        let mut receiver = Receiver::builder()
            .name("drained")
            .source("3:100")
            .credit_mode(CreditMode::Manual)
            .attach(&mut session)
            .await
            .unwrap();
        receiver.set_credit(10).await.unwrap();
        for _ in 0..3 {
            let delivery = receiver.recv::<String>().await.unwrap();
            receiver.accept(&delivery).await.unwrap();
        }
        receiver.drain().await.unwrap();
        while log.lock().unwrap().drained == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        receiver.close().await.unwrap();
        connection.close().await.unwrap();
        assert_eq!(log.lock().unwrap().outcomes.len(), 3);
    });
}

#[test]
fn our_detach_carries_its_error_and_a_refusal_is_seen() {
    run(async {
        let (mut connection, log) = connect(None, 16_384).await;
        let mut session = Session::begin(&mut connection).await.unwrap();
        let mut sender = Sender::attach(&mut session, "slammed", "slam").await.unwrap();
        drop(sender.send_batchable(text(1)).await.unwrap());
        let error = sender.on_detach().await;
        assert!(
            matches!(&error, DetachError::RemoteClosedWithError(error) if error.description.as_deref() == Some("slammed")),
            "{error:?}"
        );
        // After a refusal that peer's session is not to be relied on: it may answer, and use the link's handle again, in
        // either order. So each has one of its own.
        let mut session = Session::begin(&mut connection).await.unwrap();
        assert!(Sender::attach(&mut session, "refused", "nowhere").await.is_err());
        let mut session = Session::begin(&mut connection).await.unwrap();
        assert!(Receiver::attach(&mut session, "refused-too", "nowhere").await.is_err());
        let mut session = Session::begin(&mut connection).await.unwrap();
        // A detach that does not close is answered alike.
        let sender = Sender::attach(&mut session, "loose", "accept").await.unwrap();
        sender.detach().await.map_err(|(_, error)| error).unwrap();
        let mut sender = Sender::attach(&mut session, "after", "accept").await.unwrap();
        assert!(matches!(sender.send(text(10)).await.unwrap(), Outcome::Accepted(_)));
        connection.close().await.unwrap();
        assert_eq!(log.lock().unwrap().received, [1, 10]);
    });
}

/// The peer's side of [`Client`]: takes what comes to the queue and gives as much.
async fn queue(mut session: ListenerSessionHandle) {
    let links = LinkAcceptor::builder().build();
    for _ in 0..2 {
        match links.accept(&mut session).await.unwrap() {
            LinkEndpoint::Receiver(mut receiver) => drop(tokio::spawn(async move {
                while let Ok(delivery) = receiver.recv::<String>().await {
                    assert_eq!(delivery.body(), &text(delivery.body().len()));
                    receiver.accept(&delivery).await.unwrap();
                }
            })),
            LinkEndpoint::Sender(mut sender) => drop(tokio::spawn(async move {
                for size in SIZES {
                    assert!(matches!(sender.send(text(size)).await, Ok(Outcome::Accepted(_))));
                }
                sender.on_detach().await;
            })),
        }
    }
    let _ = session.on_end().await;
}

#[test]
fn our_client_works_with_its_server() {
    run(async {
        for sasl in [Sasl::None, Sasl::Anonymous { trace: "me".to_owned() }] {
            let (near, far) = tokio::io::duplex(20_000);
            let anonymous = !matches!(sasl, Sasl::None);
            let acceptor = tokio::spawn(async move {
                let mut connection = if anonymous {
                    let acceptor = ConnectionAcceptor::builder()
                        .container_id("acceptor")
                        .sasl_acceptor(SaslAnonymousMechanism::default())
                        .build();
                    acceptor.accept(far).await.unwrap()
                } else {
                    ConnectionAcceptor::new("acceptor").accept(far).await.unwrap()
                };
                let session = SessionAcceptor::new().accept(&mut connection).await.unwrap();
                tokio::spawn(queue(session));
                connection.on_close().await
            });
            let log = Shared::default();
            let engine = Connection::client(config("client", sasl), now());
            drive(near, engine, Client::new(&SIZES, &log)).await;
            let closed = acceptor.await.unwrap();
            assert!(matches!(closed, Err(fe2o3_amqp::connection::Error::RemoteClosed)), "{closed:?}");
            let log = log.lock().unwrap();
            let mut sizes = log.received.clone();
            sizes.sort_unstable();
            assert_eq!(sizes, SIZES);
            assert_eq!(log.outcomes, vec![DeliveryState::Accepted; 3]);
            assert_eq!(log.closed, Some(Closed::Local));
        }
    });
}
