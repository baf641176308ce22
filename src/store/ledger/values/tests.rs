use std::sync::Arc;

use super::client_certificate::ClientCertificateV1;
use super::*;
use crate::account::{AccountId, Profile};
use crate::attempt::{Attempt, Outcome};
use crate::encryption::Keyring;
use crate::event::{Body, IdempotencyKey, Labels, Recorded};
use crate::event_type::EventType;
use crate::filter::Filter;
use crate::id::{Seal, SubscriptionNo};
use crate::label::Metadata;
use crate::store::Address;
use crate::store::ledger::pages::Page;
use crate::store::{AttemptCounts, Follows, Hour, Settlement};
use crate::subscription::client_certificate::examples::one;
use crate::subscription::{
    self, CustomHeaders, Envelope, Match, PreviousSecret, Secret, Status, Subscription,
};
use crate::trace_context::TraceContext;

const SEAL: [u8; 32] = [7; 32];

fn subscription() -> Subscription {
    Subscription {
        no: SubscriptionNo(9),
        id: Seal::new(&SEAL).close(9, [1; 12]),
        account: AccountNo(2),
        url: "https://example.com/hook".parse().unwrap(),
        filter: Filter::one("new_lead".parse().unwrap()),
        condition: None,
        secret: "sixteen-visible!".parse::<Secret>().unwrap(),
        envelope: Envelope::Documented,
        previous_secrets: vec![PreviousSecret {
            secret: "visible-sixteen!".parse().unwrap(),
            until: Timestamp(900),
        }],
        headers: CustomHeaders::new([("x-tenant".into(), "acme 7".into())], "").unwrap(),
        client_certificate: None,
        status: Status::Deactivated { at: Timestamp(300), reason: "gone".into() },
        generation: Generation(1),
        floor: Generation(1),
        profile: subscription::Profile::default(),
        delivery: subscription::DeliveryPolicy::default(),
        created_at: Timestamp(200),
        updated_at: Timestamp(200),
    }
}

/// A subscription whose owner says all that can be said of one.
fn endpoint() -> Subscription {
    Subscription {
        filter: Filter::new(None, vec!["eu".parse().unwrap()]),
        condition: Some("@.a > 1".parse().unwrap()),
        envelope: Envelope::Payload,
        profile: subscription::Profile {
            uid: Some("billing".parse().unwrap()),
            description: "Bills".to_owned(),
            metadata: Metadata::new([("plan".to_owned(), "pro".to_owned())].into()).unwrap(),
        },
        delivery: subscription::DeliveryPolicy {
            rate: Some(300),
            concurrency: Some(4),
            ordering: subscription::Ordering::Fifo,
            sequence: true,
            retries: Some(vec![Duration::from_secs(1), Duration::from_secs(60)]),
            timeout: Some(Duration::from_secs(5)),
            deactivate: subscription::Deactivate::Failing(Duration::from_secs(300)),
            poison: subscription::Poison::DeadLetter,
        },
        updated_at: Timestamp(500),
        client_certificate: Some(one()),
        ..subscription()
    }
}

fn event() -> Recorded {
    let event_type: EventType = "new_lead".parse().unwrap();
    let matched =
        |no, generation| Match { subscription: SubscriptionNo(no), generation: Generation(generation) };
    Recorded {
        no: EventNo(5),
        id: Seal::new(&SEAL).close(5, [2; 12]),
        account: AccountNo(2),
        body: Body::build(&event_type, "2025-01-15T10:30:00Z", b"[1]"),
        event_type,
        accepted_at: Timestamp(1000),
        idempotency: Some(IdempotencyKey([3; 16])),
        labels: None,
        matches: Arc::new(vec![matched(9, 1), matched(300, 0)]),
    }
}

fn labels() -> Labels {
    let context: TraceContext = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse().unwrap();
    Labels {
        uid: Some("order-7".parse().unwrap()),
        channels: vec!["eu".parse().unwrap(), "us".parse().unwrap()],
        request: Some(IdempotencyKey([6; 16])),
        trace: Some(context.with_tracestate("rojo=00f067aa")),
    }
}

fn settlement() -> Settlement {
    Settlement {
        at: Address { account: AccountNo(2), subscription: SubscriptionNo(9) },
        event: EventNo(5),
        generation: Generation(1),
        attempt: Attempt {
            n: 2,
            at: Timestamp(1000),
            asked: true,
            outcome: Outcome::Answered { status: 503, retry_after: Some(Duration::from_secs(1)) },
            duration_ms: 12,
            response: bytes::Bytes::from_static(b"busy"),
        },
        follows: Follows::Retry { due: Timestamp(70_000), retries: 2 },
        health: None,
    }
}

fn key() -> ApiKey {
    ApiKey {
        id: KeyId::from_bytes([4; 20]),
        hash: KeyHash([5; 32]),
        account: AccountNo(2),
        scopes: vec![Scope::Hooks, Scope::Events, Scope::Admin],
        name: "ci".into(),
        created_at: Timestamp(1),
        last_used_at: None,
    }
}

fn account() -> Account {
    Account {
        no: AccountNo(2),
        id: "acme".parse::<AccountId>().unwrap(),
        profile: Profile {
            name: "Acme".to_owned(),
            uid: Some("acme-1".parse().unwrap()),
            rate_limit: Some(300),
            retention: Some("1d".parse().unwrap()),
            metadata: Metadata::new([("plan".to_owned(), "pro".to_owned())].into()).unwrap(),
        },
        created_at: Timestamp(7),
        updated_at: Timestamp(8),
    }
}

fn declaration() -> Declaration {
    Declaration {
        name: "new_lead".parse().unwrap(),
        description: "A lead".to_owned(),
        schemas: Some("{}".into()),
        feature_flag: Some("beta".to_owned()),
        archived: false,
        deprecated: true,
        created_at: Timestamp(7),
        updated_at: Timestamp(8),
    }
}

fn health() -> Health {
    Health { stage: Stage::Probing, hold_until: Some(Timestamp(900)), failing_since: Some(Timestamp(800)) }
}

fn tallied() -> Tallied {
    let days = vec![Hour { hour: 489_984, attempts: 300, successes: 299 }];
    let hours = vec![
        Hour { hour: 490_000, attempts: 70_000, successes: 3 },
        Hour { hour: 490_002, attempts: 1, successes: 1 },
    ];
    Tallied { counted: 300, counts: AttemptCounts { days, hours } }
}

fn retry() -> Retry {
    Retry {
        due: Timestamp(70_000),
        event: EventNo(5),
        generation: Generation(1),
        attempts: 2,
        retries: 2,
        given_up: true,
    }
}

fn event_chapter() -> EventChapterV1 {
    EventChapterV1 {
        events: 300,
        accepted: (1_000, 70_000),
        accounts: vec![(2, 4)],
        subscriptions: vec![(9, 4), (291, 8)],
    }
}

fn attempt_chapter() -> AttemptChapterV1 {
    AttemptChapterV1 { span: 8_192, events: vec![(5, 366)], has_replays: true }
}

fn told() -> Vec<ToldV1> {
    vec![
        ToldV1 { distance: 4_096, events: vec![(5, 1), (295, 70)], replayed: vec![] },
        ToldV1 { distance: 3, events: vec![], replayed: vec![Moved { event: 6, subscription: 9 }] },
    ]
}

/// What lies on the disks of those who run version 1. A change here is a new version, not a new expectation.
#[test]
fn values_have_the_bytes_that_they_always_had() {
    let (event, seal) = (event(), Seal::new(&SEAL));
    let block = EventBlock { commit: 3, events: vec![StoredEvent::of(&event, [2; 12])] };
    let parked = vec![Moved { event: 5, subscription: 300 }];
    let settled = SettlementBlock {
        settled: vec![SettledV2::of(settlement())],
        parked,
        replayed: vec![Moved { event: 6, subscription: 9 }],
        synced: vec![Synced { commit: 2, at_ms: 1100 }],
    };
    let golden = [
        ("events", block.encode(), GOLDEN_EVENTS),
        ("settlements", settled.encode(), GOLDEN_SETTLEMENTS),
        (
            "subscription",
            encode_subscription(&subscription(), &seal, &Keyring::default()),
            GOLDEN_SUBSCRIPTION,
        ),
        ("endpoint", encode_subscription(&endpoint(), &seal, &Keyring::default()), GOLDEN_ENDPOINT),
        ("account", account().encode(), GOLDEN_ACCOUNT),
        ("event type", declaration().encode(), GOLDEN_EVENT_TYPE),
        ("key", key().encode(), GOLDEN_KEY),
        ("health", health().encode(), GOLDEN_HEALTH),
        ("hours", tallied().encode(), GOLDEN_HOURS),
        ("retry", retry().encode(), GOLDEN_RETRY),
        ("cursor", Cursor { event: EventNo(5), commit: 300 }.encode(), GOLDEN_CURSOR),
        ("usage", encode(&Usage { bytes: 70_000, commit: 300 }), GOLDEN_USAGE),
        ("time", encode(&70_000u64), GOLDEN_TIME),
        ("event chapter", encode(&event_chapter()), GOLDEN_EVENT_CHAPTER),
        ("attempt chapter", encode(&attempt_chapter()), GOLDEN_ATTEMPT_CHAPTER),
        ("told", encode(&told()), GOLDEN_TOLD),
    ];
    for (what, bytes, expected) in golden {
        assert_eq!(hex::encode(bytes), expected, "{what}");
    }
}

#[test]
fn what_was_written_is_read_back() {
    let (event, seal) = (event(), Seal::new(&SEAL));
    let bytes = EventBlock { commit: 3, events: vec![StoredEvent::of(&event, [2; 12])] }.encode();
    let block = EventBlock::decode(&bytes).unwrap();
    assert_eq!(block.events[0].load(EventNo(5), &seal), Some(event));
    let bytes = encode_subscription(&subscription(), &seal, &Keyring::default());
    let keyring = Keyring::default();
    let place =
        || SubscriptionKey { account: AccountNo(2), no: SubscriptionNo(9), seal: &seal, keyring: &keyring };
    assert_eq!(decode_subscription(&bytes, place()).unwrap(), subscription());
    let bytes = encode_subscription(&endpoint(), &seal, &keyring);
    assert_eq!(decode_subscription(&bytes, place()).unwrap(), endpoint());
    assert_eq!(Tallied::decode(&tallied().encode(), ()).unwrap(), tallied());
    assert_eq!(Account::decode(&account().encode(), b"acme".to_vec()).unwrap(), account());
    assert_eq!(Declaration::decode(&declaration().encode(), b"new_lead".to_vec()).unwrap(), declaration());
    assert_eq!(ApiKey::decode(&key().encode(), vec![5; 32]).unwrap(), key());
    assert_eq!(Health::decode(&health().encode(), ()).unwrap(), health());
    assert_eq!(Retry::decode(&retry().encode(), EventNo(5)).unwrap(), retry());
}

#[test]
fn what_the_first_version_wrote_is_read() {
    let block = SettlementBlock::decode(&hex::decode(GOLDEN_SETTLEMENTS_V1).unwrap()).unwrap();
    assert_eq!(block.settled[0].delivery(), (EventNo(5), SubscriptionNo(9)));
    assert_eq!(block.parked, [Moved { event: 5, subscription: 300 }]);
    assert!(block.replayed.is_empty() && block.synced.is_empty());
    let seal = Seal::new(&SEAL);
    let place = SubscriptionKey {
        account: AccountNo(2),
        no: SubscriptionNo(9),
        seal: &seal,
        keyring: &Keyring::default(),
    };
    let decoded = decode_subscription(&hex::decode(GOLDEN_SUBSCRIPTION_V1).unwrap(), place).unwrap();
    let headers = CustomHeaders::default();
    assert_eq!(decoded, Subscription { previous_secrets: Vec::new(), headers, ..subscription() });
    let account = Account::decode(&hex::decode(GOLDEN_ACCOUNT_V1).unwrap(), b"acme".to_vec()).unwrap();
    let profile = Profile { name: "acme".into(), uid: Some("acme".parse().unwrap()), ..Profile::default() };
    assert_eq!((account.no, account.profile), (AccountNo(2), profile));
    assert_eq!((account.created_at, account.updated_at), (Timestamp(7), Timestamp(7)));
}

#[test]
fn what_the_second_version_wrote_is_read() {
    let decoded = Account::decode(&hex::decode(GOLDEN_ACCOUNT_V2).unwrap(), b"acme".to_vec()).unwrap();
    let profile = Profile { retention: None, ..account().profile };
    assert_eq!(decoded, Account { profile, ..account() });
    let seal = Seal::new(&SEAL);
    let place = SubscriptionKey {
        account: AccountNo(2),
        no: SubscriptionNo(9),
        seal: &seal,
        keyring: &Keyring::default(),
    };
    let decoded = decode_subscription(&hex::decode(GOLDEN_SUBSCRIPTION_V2).unwrap(), place).unwrap();
    assert_eq!(decoded, Subscription { headers: CustomHeaders::default(), ..subscription() });
}

#[test]
fn what_the_third_version_wrote_is_read() {
    let (seal, keyring) = (Seal::new(&SEAL), Keyring::default());
    let place =
        SubscriptionKey { account: AccountNo(2), no: SubscriptionNo(9), seal: &seal, keyring: &keyring };
    let decoded = decode_subscription(&hex::decode(GOLDEN_SUBSCRIPTION_V3).unwrap(), place).unwrap();
    assert_eq!(decoded, subscription());
}

#[test]
fn what_schema_six_wrote_is_read() {
    let (seal, keyring) = (Seal::new(&SEAL), Keyring::default());
    let read = |golden: &str| {
        let place =
            SubscriptionKey { account: AccountNo(2), no: SubscriptionNo(9), seal: &seal, keyring: &keyring };
        decode_subscription(&hex::decode(golden).unwrap(), place).unwrap()
    };
    assert_eq!(read(GOLDEN_SUBSCRIPTION_V4), subscription());
    // It had a rate, and said no more of how it is served.
    let delivery = subscription::DeliveryPolicy { rate: Some(300), ..Default::default() };
    let expected = Subscription { delivery, condition: None, client_certificate: None, ..endpoint() };
    assert_eq!(read(GOLDEN_ENDPOINT_V4), expected);
    let read = Health::decode(&hex::decode(GOLDEN_HEALTH_V1).unwrap(), ()).unwrap();
    assert_eq!(read, Health { failing_since: None, ..health() });
    let read = Tallied::decode(&hex::decode(GOLDEN_HOURS_V1).unwrap(), ()).unwrap();
    assert_eq!(read.counts, AttemptCounts { days: Vec::new(), ..tallied().counts });
    let read = Retry::decode(&hex::decode(GOLDEN_RETRY_V1).unwrap(), EventNo(5)).unwrap();
    assert_eq!(read, Retry { given_up: false, ..retry() });
    let block = SettlementBlock::decode(&hex::decode(GOLDEN_SETTLEMENTS_V2).unwrap()).unwrap();
    assert_eq!((block.replayed.len(), block.synced.len(), block.parked.len()), (1, 1, 1));
    let attempt = block.settled.into_iter().next().unwrap().attempt();
    assert_eq!((attempt.n, attempt.asked, attempt.response), (2, false, b"busy"[..].into()));
}

#[test]
fn what_schema_seven_wrote_is_read() {
    let (seal, keyring) = (Seal::new(&SEAL), Keyring::default());
    let read = |golden: &str| {
        let place =
            SubscriptionKey { account: AccountNo(2), no: SubscriptionNo(9), seal: &seal, keyring: &keyring };
        decode_subscription(&hex::decode(golden).unwrap(), place).unwrap()
    };
    assert_eq!(read(GOLDEN_SUBSCRIPTION_V5), subscription());
    assert_eq!(read(GOLDEN_ENDPOINT_V5), Subscription { client_certificate: None, ..endpoint() });
}

#[test]
fn events_that_the_first_version_wrote_are_read() {
    let bytes = hex::decode(GOLDEN_EVENTS_V1).unwrap();
    let block = EventBlock::decode(&bytes).unwrap();
    assert_eq!(block.events[0].load(EventNo(5), &Seal::new(&SEAL)), Some(event()));
}

#[test]
fn events_that_schema_seven_wrote_are_read() {
    let of_no_trace = Labels { trace: None, ..labels() };
    let labelled = Recorded { labels: Some(Box::new(of_no_trace)), ..event() };
    for (golden, expected) in [(GOLDEN_EVENTS_V2, event()), (GOLDEN_EVENTS_LABELLED_V2, labelled)] {
        let bytes = hex::decode(golden).unwrap();
        let block = EventBlock::decode(&bytes).unwrap();
        assert_eq!(block.events[0].load(EventNo(5), &Seal::new(&SEAL)), Some(expected));
    }
}

#[test]
fn labels_are_written_and_read_back() {
    let event = Recorded { labels: Some(Box::new(labels())), ..event() };
    let bytes = EventBlock { commit: 3, events: vec![StoredEvent::of(&event, [2; 12])] }.encode();
    assert_eq!(hex::encode(&bytes), GOLDEN_EVENTS_LABELLED);
    assert!(bytes.len() <= StoredEvent::weight(&event));
    assert_eq!(
        EventBlock::decode(&bytes).unwrap().events[0].load(EventNo(5), &Seal::new(&SEAL)),
        Some(event)
    );
}

#[test]
fn a_client_certificate_is_opened_in_its_place_under_its_key_alone() {
    let ring = |byte: u8| Keyring::new(Some(hex::encode([byte; 32]).parse().unwrap()), Vec::new());
    let (seal, certificate) = (Seal::new(&SEAL), one());
    let sealed = ClientCertificateV1::of(&certificate, b"place", &ring(7));
    let key = certificate.reveal().1.to_vec();
    assert!(!encode(&sealed).windows(16).any(|part| part == &key[16..32]));
    assert_eq!(sealed.load(b"place", &ring(7)).unwrap(), certificate);
    for (place, keyring) in [(&b"other"[..], ring(7)), (b"place", ring(8)), (b"place", Keyring::default())] {
        assert!(ClientCertificateV1::of(&certificate, b"place", &ring(7)).load(place, &keyring).is_err());
    }
    let bytes = encode_subscription(&endpoint(), &seal, &ring(7));
    let place =
        |keyring| SubscriptionKey { account: AccountNo(2), no: SubscriptionNo(9), seal: &seal, keyring };
    assert_eq!(decode_subscription(&bytes, place(&ring(7))).unwrap(), endpoint());
    assert_eq!(decode_outline(&bytes).unwrap().url, endpoint().url);
}

/// A seal differs each time; this one was made once and must be opened ever after.
#[test]
fn what_was_sealed_is_opened_in_its_place_alone() {
    let ring = |byte: u8| Keyring::new(Some(hex::encode([byte; 32]).parse().unwrap()), Vec::new());
    let (seal, keyring) = (Seal::new(&SEAL), ring(7));
    let read = |bytes: &[u8], no: u64, keyring: &Keyring| {
        let place = SubscriptionKey { account: AccountNo(2), no: SubscriptionNo(no), seal: &seal, keyring };
        decode_subscription(bytes, place)
    };
    let sealed = encode_subscription(&subscription(), &seal, &keyring);
    for bytes in [sealed, hex::decode(GOLDEN_SUBSCRIPTION_SEALED).unwrap()] {
        assert_eq!(read(&bytes, 9, &keyring).unwrap(), subscription());
        assert!(read(&bytes, 10, &keyring).is_err(), "of another hook");
        assert!(read(&bytes, 9, &ring(8)).is_err(), "under another key");
        assert!(read(&bytes, 9, &Keyring::default()).is_err(), "without a key");
        assert_eq!(sealed_under(&bytes).unwrap(), keyring.current());
        assert_eq!(decode_outline(&bytes).unwrap().url, subscription().url);
        // Another URL of the same length.
        let at = bytes.windows(11).position(|part| part == b"example.com").unwrap();
        let mut elsewhere = bytes.clone();
        elsewhere[at] = b'E';
        assert!(read(&elsewhere, 9, &keyring).is_err(), "for another URL");
    }
}

#[test]
fn an_event_can_be_kept_for_other_matches() {
    let (event, seal) = (event(), Seal::new(&SEAL));
    let matched = |no| Match { subscription: SubscriptionNo(no), generation: Generation(3) };
    let other = Arc::new(vec![matched(7), matched(300), matched(301)]);
    let kept = StoredEvent::of(&event, [2; 12]).matching(other.iter().copied()).load(EventNo(5), &seal);
    assert_eq!(kept, Some(Recorded { matches: other, ..event }));
}

#[test]
fn an_event_whose_timestamp_is_no_text_is_damaged() {
    let event = event();
    let bytes = EventBlock { commit: 3, events: vec![StoredEvent::of(&event, [2; 12])] }.encode();
    let at = bytes.windows(4).position(|bytes| bytes == b"2025").unwrap();
    let mut damaged = bytes.clone();
    damaged[at] = 0xff;
    let block = EventBlock::decode(&damaged).unwrap();
    assert_eq!(block.events[0].load(EventNo(5), &Seal::new(&SEAL)), None);
}

#[test]
fn damaged_values_are_errors() {
    assert!(decode::<u32>(&[]).is_err());
    assert!(decode::<u32>(&[9, 1]).is_err(), "a version of the future");
    assert!(decode::<u32>(&[1, 1, 1]).is_err(), "trailing bytes");
    let beyond = vec![(u64::MAX, 1), (1, 1)];
    let event = (([2; 12], 2, "new_lead", (1, 21), (0, 1), 7), (None::<[u8; 16]>, &beyond, b""));
    let refusal = EventBlock::decode(&encode(&(3, vec![event]))).err().map(|error| error.to_string());
    assert!(refusal.is_some_and(|refusal| refusal.contains("beyond")), "a subscription that has no number");
    assert!(Page::decode(&encode(&vec![(u64::MAX, 1), (1, 1)]), Vec::new()).is_err());
    assert!(Page::decode(&encode(&vec![(7, 1), (0, 1)]), Vec::new()).is_err());
    assert!(Page::decode(&encode(&vec![(7, 1), (1, 1)]), Vec::new()).is_ok());
    assert!(EventBlock::decode(&[1, 3, 253, 255, 255, 255, 255, 255, 255, 255, 255]).is_err());
}

const GOLDEN_EVENTS: &str = "03030102020202020202020202020202086e65775f6c65616421353e41fbe8030103030303030303030303030303030303020901fb230100427b226576656e74223a226e65775f6c656164222c2274696d657374616d70223a22323032352d30312d31355431303a33303a30305a222c2264617461223a5b315d7d00";
const GOLDEN_EVENTS_LABELLED: &str = "03030102020202020202020202020202086e65775f6c65616421353e41fbe8030103030303030303030303030303030303020901fb230100427b226576656e74223a226e65775f6c656164222c2274696d657374616d70223a22323032352d30312d31355431303a33303a30305a222c2264617461223a5b315d7d0101076f726465722d37020265750275730106060606060606060606060606060606010af7651916cd43dd8448eb211c80319cb7ad6b716920333101010d726f6a6f3d3030663036376161";
const GOLDEN_EVENTS_V2: &str = "02030102020202020202020202020202086e65775f6c65616421353e41fbe8030103030303030303030303030303030303020901fb230100427b226576656e74223a226e65775f6c656164222c2274696d657374616d70223a22323032352d30312d31355431303a33303a30305a222c2264617461223a5b315d7d00";
const GOLDEN_EVENTS_LABELLED_V2: &str = "02030102020202020202020202020202086e65775f6c65616421353e41fbe8030103030303030303030303030303030303020901fb230100427b226576656e74223a226e65775f6c656164222c2274696d657374616d70223a22323032352d30312d31355431303a33303a30305a222c2264617461223a5b315d7d0101076f726465722d37020265750275730106060606060606060606060606060606";
const GOLDEN_EVENTS_V1: &str = "01030102020202020202020202020202086e65775f6c65616421353e41fbe8030103030303030303030303030303030303020901fb230100427b226576656e74223a226e65775f6c656164222c2274696d657374616d70223a22323032352d30312d31355431303a33303a30305a222c2264617461223a5b315d7d";
const GOLDEN_SETTLEMENTS: &str =
    "030109050102fbe803fbf701000c046275737901fc70110100010105fb2c010106090102fb4c04";
const GOLDEN_SETTLEMENTS_V2: &str =
    "020109050102fbe803fbf701000c046275737901fc701101000105fb2c010106090102fb4c04";
const GOLDEN_SETTLEMENTS_V1: &str = "010109050102fbe803fbf701000c046275737901fc701101000105fb2c01";
const GOLDEN_SUBSCRIPTION: &str = "060101010101010101010101011868747470733a2f2f6578616d706c652e636f6d2f686f6f6b01086e65775f6c65616402fb2c0104676f6e650101c800107369787465656e2d76697369626c6521011076697369626c652d7369787465656e21fb84030108782d74656e616e740661636d65203700";
const GOLDEN_SUBSCRIPTION_V5: &str = "050101010101010101010101011868747470733a2f2f6578616d706c652e636f6d2f686f6f6b01086e65775f6c65616402fb2c0104676f6e650101c800107369787465656e2d76697369626c6521011076697369626c652d7369787465656e21fb84030108782d74656e616e740661636d65203700";
const GOLDEN_SUBSCRIPTION_V4: &str = "040101010101010101010101011868747470733a2f2f6578616d706c652e636f6d2f686f6f6b01086e65775f6c65616402fb2c0104676f6e650101c800107369787465656e2d76697369626c6521011076697369626c652d7369787465656e21fb84030108782d74656e616e740661636d65203700";
const GOLDEN_SUBSCRIPTION_V3: &str = "030101010101010101010101011868747470733a2f2f6578616d706c652e636f6d2f686f6f6b01086e65775f6c65616402fb2c0104676f6e650101c800107369787465656e2d76697369626c6521011076697369626c652d7369787465656e21fb84030108782d74656e616e740661636d652037";
const GOLDEN_ENDPOINT: &str = "060101010101010101010101011868747470733a2f2f6578616d706c652e636f6d2f686f6f6b0002fb2c0104676f6e650101c800107369787465656e2d76697369626c6521011076697369626c652d7369787465656e21fb84030108782d74656e616e740661636d652037010102657501010762696c6c696e670542696c6c730104706c616e0370726ffb2c010101fb2c01010401010102fbe803fb60ea01fb881301fce0930400010107402e61203e2031010001fb4601308201423081f5a003020102021410cd32f2009fa475e4dd480f5836516b1b2942ad300506032b657030163114301206035504030c0b6f6e652e6578616d706c653020170d3236313230313030323430305a180f39393636313130363030323430305a30163114301206035504030c0b6f6e652e6578616d706c65302a300506032b65700321007d22016bdeee9ccb2cc95182692dc9ce8654c2b87fb578e0c80af12d1bd7c1e5a3533051301d0603551d0e04160414c06fef515d4eaff772aaae0f89cc4ce4802f0923301f0603551d23041830168014c06fef515d4eaff772aaae0f89cc4ce4802f0923300f0603551d130101ff040530030101ff300506032b6570034100bb5ce5b23129335c438340bc1c24a975f83a80905234a46a8b33d8312c67d8b5a5e8de27fd0d551d2c2a0ff3c33e94aa9df4c6fe9c2a706a411509b7c6b6380a30302e020100300506032b65700422042062a01a4829c5bb178af7e328f09e5ee147ed4a0449aae3a168e4ac795f39a3df";
const GOLDEN_ENDPOINT_V5: &str = "050101010101010101010101011868747470733a2f2f6578616d706c652e636f6d2f686f6f6b0002fb2c0104676f6e650101c800107369787465656e2d76697369626c6521011076697369626c652d7369787465656e21fb84030108782d74656e616e740661636d652037010102657501010762696c6c696e670542696c6c730104706c616e0370726ffb2c010101fb2c01010401010102fbe803fb60ea01fb881301fce0930400010107402e61203e2031";
const GOLDEN_ENDPOINT_V4: &str = "040101010101010101010101011868747470733a2f2f6578616d706c652e636f6d2f686f6f6b0002fb2c0104676f6e650101c800107369787465656e2d76697369626c6521011076697369626c652d7369787465656e21fb84030108782d74656e616e740661636d652037010102657501010762696c6c696e670542696c6c7301fb2c010104706c616e0370726ffb2c01";
const GOLDEN_SUBSCRIPTION_SEALED: &str = "030101010101010101010101011868747470733a2f2f6578616d706c652e636f6d2f686f6f6b01086e65775f6c65616402fb2c0104676f6e650101c801b744f5693afc5990b3a5dea42b77eb07f228cd6ab6ab645aadca8cd1dd1777a447e8a3cc6872d6725d72182fa87f73b100df7871f4680c237fcde0374ee1edde726db60b488aa68c915dd67ca8c88caf8936ded477a9ffd1a914faf73f7245d4177efafa224c0e29";
const GOLDEN_SUBSCRIPTION_V2: &str = "020101010101010101010101011868747470733a2f2f6578616d706c652e636f6d2f686f6f6b01086e65775f6c656164107369787465656e2d76697369626c6521011076697369626c652d7369787465656e21fb840302fb2c0104676f6e650101c8";
const GOLDEN_SUBSCRIPTION_V1: &str = "010101010101010101010101011868747470733a2f2f6578616d706c652e636f6d2f686f6f6b01086e65775f6c656164107369787465656e2d76697369626c652102fb2c0104676f6e650101c8";
const GOLDEN_ACCOUNT: &str = "030207080441636d65010661636d652d3101fb2c0101fc805101000104706c616e0370726f";
const GOLDEN_ACCOUNT_V2: &str = "020207080441636d65010661636d652d3101fb2c010104706c616e0370726f";
const GOLDEN_ACCOUNT_V1: &str = "010207";
const GOLDEN_EVENT_TYPE: &str = "010641206c65616401027b7d01046265746100010708";
const GOLDEN_KEY: &str = "01040404040404040404040404040404040404040402030001020263690100";
const GOLDEN_HEALTH: &str = "02000101fb840301fb2003";
const GOLDEN_HOURS: &str = "02fb2c0101fc007a0700fb2c01fb2b0102fc107a0700fc7011010003020101";
const GOLDEN_HOURS_V1: &str = "01fb2c0102fc107a0700fc7011010003020101";
const GOLDEN_HEALTH_V1: &str = "01000101fb8403";
const GOLDEN_RETRY: &str = "02fc7011010001020201";
const GOLDEN_RETRY_V1: &str = "01fc70110100010202";
const GOLDEN_CURSOR: &str = "0105fb2c01";
const GOLDEN_USAGE: &str = "01fc70110100fb2c01";
const GOLDEN_TIME: &str = "01fc70110100";
const GOLDEN_EVENT_CHAPTER: &str = "01fb2c01fbe803fc70110100010204020904fb230108";
const GOLDEN_ATTEMPT_CHAPTER: &str = "01fb00200105fb6e0101";
const GOLDEN_TOLD: &str = "0102fb0010020501fb270146000300010609";
