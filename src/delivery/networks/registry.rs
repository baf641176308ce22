//! The registries, copied out: each of their networks is refused, and the tables have nothing that they do not know.
//!
//! <https://www.iana.org/assignments/iana-ipv4-special-registry>, <https://www.iana.org/assignments/iana-ipv6-special-registry>
//! and, for multicast and site-local addresses, <https://www.iana.org/assignments/ipv4-address-space> and
//! <https://www.iana.org/assignments/ipv6-address-space>; as of October 2025.

use ipnet::IpNet;

use super::*;

/// The special-purpose registries, whatever they say about who can reach the network.
const REGISTERED: [&str; 52] = [
    // IPv4
    "0.0.0.0/8",
    "0.0.0.0/32",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.0.0/29",
    "192.0.0.8/32",
    "192.0.0.9/32",
    "192.0.0.10/32",
    "192.0.0.170/32",
    "192.0.0.171/32",
    "192.0.2.0/24",
    "192.31.196.0/24",
    "192.52.193.0/24",
    "192.88.99.0/24",
    "192.88.99.2/32",
    "192.168.0.0/16",
    "192.175.48.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "240.0.0.0/4",
    "255.255.255.255/32",
    // IPv6
    "::1/128",
    "::/128",
    "::ffff:0:0/96",
    "64:ff9b::/96",
    "64:ff9b:1::/48",
    "100::/64",
    "100:0:0:1::/64",
    "2001::/23",
    "2001::/32",
    "2001:1::1/128",
    "2001:1::2/128",
    "2001:1::3/128",
    "2001:2::/48",
    "2001:3::/32",
    "2001:4:112::/48",
    "2001:10::/28",
    "2001:20::/28",
    "2001:30::/28",
    "2001:db8::/32",
    "2002::/16",
    "2620:4f:8000::/48",
    "3fff::/20",
    "5f00::/16",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
];

/// What the tables have besides, from the address space registries and from a cloud's manual.
const BESIDES: [&str; 10] = [
    "224.0.0.0/4",
    "168.63.129.16/32",
    "ff00::/8",
    "::/96",
    "::/8",
    "::/3",
    "4000::/2",
    "8000::/2",
    "c000::/2",
    // Given back long ago, and a part of it since given out again.
    "fec0::/10",
];

/// Where clouds, and what runs in them, tell a machine its credentials.
const METADATA: [&str; 22] = [
    "169.254.169.254",      // most of them
    "169.254.170.2",        // containers at Amazon
    "169.254.170.23",       // pods at Amazon
    "169.254.169.123",      // its clock
    "169.254.169.253",      // its resolver
    "fd00:ec2::254",        // Amazon
    "fd00:ec2::23",         // pods at Amazon
    "fd20:ce::254",         // Google
    "168.63.129.16",        // Azure
    "fe80::1234:5678:9abc", // a router at Azure
    "100.100.100.200",      // Alibaba
    "100.100.2.136",        // its resolver
    "192.0.0.192",          // Oracle, formerly
    "fd00:c1::a9fe:a9fe",   // Oracle
    "169.254.0.23",         // Tencent
    "169.254.10.10",        // Tencent
    "169.254.42.42",        // Scaleway
    "fd00:42::42",          // Scaleway
    "fd00:a9fe:a9fe::1",    // Linode
    "fe80::a9fe:a9fe",      // OpenStack
    "169.254.169.250",      // Rancher
    "fdaa::3",              // Fly's resolver
];

fn networks(texts: &[&str]) -> Vec<IpNet> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn every_registered_network_is_refused_from_its_first_address_to_its_last() {
    for network in networks(&REGISTERED).into_iter().chain(networks(&BESIDES)) {
        for ip in [network.network(), network.broadcast()] {
            assert!(special(ip).is_some(), "{ip} of {network}");
        }
        let covered = IPV4.iter().chain(&IPV6).any(|special| special.network.contains(&network));
        assert!(covered, "{network} is refused as a whole");
    }
}

#[test]
fn no_network_is_refused_that_no_registry_names() {
    let known: Vec<_> = networks(&REGISTERED).into_iter().chain(networks(&BESIDES)).collect();
    for special in IPV4.iter().chain(&IPV6) {
        assert!(known.contains(&special.network), "{special:?}");
    }
}

#[test]
fn no_cloud_tells_its_secrets() {
    for ip in METADATA {
        assert!(special(ip.parse().unwrap()).is_some(), "{ip}");
    }
}

#[test]
fn ordinary_addresses_are_not_special() {
    for ip in [
        "1.1.1.1",
        "8.8.8.8",
        "93.184.216.34",
        "169.253.1.1",
        "172.32.0.1",
        "192.0.1.1",
        "192.167.0.1",
        "198.20.0.1",
        "203.0.112.1",
        "223.255.255.254",
        "2600::1",
        "2606:2800:220:1:248:1893:25c8:1946",
        "2a00:1450:4001:81c::200e",
        "2400:cb00:2048:1::c629:d7a2",
    ] {
        assert_eq!(special(ip.parse().unwrap()), None, "{ip}");
    }
}

#[test]
fn an_address_that_carries_another_is_refused_whichever_it_carries() {
    for ip in [
        "::ffff:10.0.0.1",
        "::10.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b:1::10.0.0.1",
        "2002:a00:1::1",
        "2001:0:4136:e378:8000:63bf:f5ff:fffe",
        "2600::5efe:10.0.0.1",
        "2600::200:5efe:10.0.0.1",
    ] {
        assert!(special(ip.parse().unwrap()).is_some(), "{ip}");
    }
    assert_eq!(special("2600::1:5efe:a00:1".parse().unwrap()), None);
}
