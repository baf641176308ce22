//! Networks that are not the public internet: where no event is sent unless the operator allows it.
//!
//! Drawn from the IANA special-purpose address registries for IPv4 and IPv6 (RFC 6890 and its updates) and the IPv6
//! address space registry; a test holds them against the registries. Narrow networks come before the wide ones that
//! hold them, so that the first that matches is the one to name. Which of them are allowed is left to the guard, and
//! what the system alone knows, which addresses are its own, to [`own`](crate::delivery::own).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

#[cfg(test)]
mod registry;

/// A network that is not public.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Special {
    pub network: IpNet,
    /// What its addresses are called, in the plural.
    pub what: &'static str,
}

/// The network that makes this address special, if it is.
///
/// An IPv4-mapped IPv6 address has to be turned into the IPv4 address that it stands for before it comes here.
pub fn special(ip: IpAddr) -> Option<Special> {
    let (table, isatap): (&[Special], _) = match ip {
        IpAddr::V4(_) => (&IPV4, false),
        IpAddr::V6(ip) => (&IPV6, is_isatap(ip)),
    };
    let listed = table.iter().find(|special| special.network.contains(&ip));
    listed.copied().or_else(|| isatap.then(|| Special { network: ip.into(), what: "ISATAP addresses" }))
}

/// Whether a router of the local network may send it on to the IPv4 address in its last half (RFC 5214).
///
/// Any network can have such addresses: it is the second half that tells.
fn is_isatap(ip: Ipv6Addr) -> bool {
    let [_, _, _, _, universal, mark, _, _] = ip.segments();
    matches!((universal, mark), (0 | 0x200, 0x5efe))
}

static IPV4: [Special; 20] = [
    v4([127, 0, 0, 0], 8, "loopback addresses"),            // RFC 1122
    v4([10, 0, 0, 0], 8, "private addresses"),              // RFC 1918
    v4([172, 16, 0, 0], 12, "private addresses"),           // RFC 1918
    v4([192, 168, 0, 0], 16, "private addresses"),          // RFC 1918
    v4([169, 254, 0, 0], 16, "link-local addresses"),       // RFC 3927; most clouds' metadata service
    v4([100, 64, 0, 0], 10, "shared addresses"),            // RFC 6598, carrier-grade NAT
    v4([168, 63, 129, 16], 32, "cloud platform addresses"), // public by number, yet Azure's host answers there
    v4([0, 0, 0, 0], 8, "unspecified addresses"),           // RFC 791; Linux connects 0.0.0.0 to itself
    v4([192, 0, 0, 0], 24, "protocol addresses"),           // RFC 6890; one cloud's metadata service is in it
    v4([192, 0, 2, 0], 24, "documentation addresses"),      // RFC 5737
    v4([198, 51, 100, 0], 24, "documentation addresses"),   // RFC 5737
    v4([203, 0, 113, 0], 24, "documentation addresses"),    // RFC 5737
    v4([192, 88, 99, 0], 24, "6to4 relay addresses"),       // RFC 7526
    // Reachable from everywhere, yet answered by whichever network is nearest, which may be the operator's own.
    v4([192, 31, 196, 0], 24, "nearest-server addresses"), // RFC 7535, AS112
    v4([192, 52, 193, 0], 24, "nearest-server addresses"), // RFC 7450, multicast relays
    v4([192, 175, 48, 0], 24, "nearest-server addresses"), // RFC 7534, AS112
    v4([198, 18, 0, 0], 15, "benchmarking addresses"),     // RFC 2544
    v4([224, 0, 0, 0], 4, "multicast addresses"),          // RFC 5771
    v4([255, 255, 255, 255], 32, "broadcast addresses"),   // RFC 919
    v4([240, 0, 0, 0], 4, "reserved addresses"),           // RFC 1112
];

static IPV6: [Special; 27] = [
    v6([0, 0, 0, 0, 0, 0, 0, 1], 128, "loopback addresses"), // RFC 4291
    v6([0, 0, 0, 0, 0, 0, 0, 0], 128, "unspecified addresses"), // RFC 4291
    v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7, "private addresses"), // RFC 4193, unique local
    v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10, "link-local addresses"), // RFC 4291
    v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10, "private addresses"), // RFC 3879, site local
    v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8, "multicast addresses"), // RFC 4291
    // These carry an IPv4 address that a gateway might call on our behalf.
    v6([0, 0, 0, 0, 0, 0xffff, 0, 0], 96, "IPv4-mapped addresses"), // RFC 4291
    v6([0, 0, 0, 0, 0, 0, 0, 0], 96, "IPv4-compatible addresses"),  // RFC 4291
    v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96, "NAT64 addresses"),    // RFC 6052
    v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48, "NAT64 addresses"),    // RFC 8215
    v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16, "6to4 addresses"),        // RFC 3056
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 32, "Teredo addresses"),      // RFC 4380
    v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64, "discard-only addresses"), // RFC 6666
    v6([0x100, 0, 0, 1, 0, 0, 0, 0], 64, "dummy addresses"),        // RFC 9780
    v6([0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0], 48, "nearest-server addresses"), // RFC 7534, AS112
    v6([0x2001, 2, 0, 0, 0, 0, 0, 0], 48, "benchmarking addresses"), // RFC 5180
    v6([0x2001, 0x10, 0, 0, 0, 0, 0, 0], 28, "ORCHID addresses"),   // RFC 4843
    v6([0x2001, 0x20, 0, 0, 0, 0, 0, 0], 28, "ORCHID addresses"),   // RFC 7343
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23, "protocol addresses"),    // RFC 2928
    v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32, "documentation addresses"), // RFC 3849
    v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20, "documentation addresses"), // RFC 9637
    v6([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16, "segment routing addresses"), // RFC 9602
    // All of the space outside 2000::/3, the only part that is given out as global unicast.
    v6([0, 0, 0, 0, 0, 0, 0, 0], 8, "reserved addresses"), // RFC 4291
    v6([0, 0, 0, 0, 0, 0, 0, 0], 3, "unassigned addresses"),
    v6([0x4000, 0, 0, 0, 0, 0, 0, 0], 2, "unassigned addresses"),
    v6([0x8000, 0, 0, 0, 0, 0, 0, 0], 2, "unassigned addresses"),
    v6([0xc000, 0, 0, 0, 0, 0, 0, 0], 2, "unassigned addresses"),
];

const fn v4(octets: [u8; 4], prefix: u8, what: &'static str) -> Special {
    let [a, b, c, d] = octets;
    Special { network: IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)), what }
}

const fn v6(segments: [u16; 8], prefix: u8, what: &'static str) -> Special {
    let [a, b, c, d, e, f, g, h] = segments;
    let first = Ipv6Addr::new(a, b, c, d, e, f, g, h);
    Special { network: IpNet::V6(Ipv6Net::new_assert(first, prefix)), what }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn what(ip: &str) -> Option<&'static str> {
        special(ip.parse().unwrap()).map(|special| special.what)
    }

    proptest! {
        #[test]
        fn every_ipv6_address_outside_global_unicast_is_special(bits: u128) {
            let ip = Ipv6Addr::from(bits);
            prop_assume!(bits >> 125 != 1);
            prop_assert!(special(ip.into()).is_some(), "{ip}");
        }
    }

    #[test]
    fn the_networks_have_no_host_bits_and_narrow_ones_come_first() {
        for table in [&IPV4[..], &IPV6[..]] {
            for (place, special) in table.iter().enumerate() {
                assert_eq!(special.network, special.network.trunc());
                let hidden = table[..place].iter().find(|wider| wider.network.contains(&special.network));
                assert_eq!(hidden, None, "{special:?} is never reached");
            }
        }
    }

    #[test]
    fn the_first_and_last_address_of_a_network_are_in_it_and_their_neighbours_are_not() {
        for (inside, outside) in [
            (["127.0.0.0", "127.255.255.255"], ["126.255.255.255", "128.0.0.0"]),
            (["10.0.0.0", "10.255.255.255"], ["9.255.255.255", "11.0.0.0"]),
            (["172.16.0.0", "172.31.255.255"], ["172.15.255.255", "172.32.0.0"]),
            (["192.168.0.0", "192.168.255.255"], ["192.167.255.255", "192.169.0.0"]),
            (["169.254.0.0", "169.254.255.255"], ["169.253.255.255", "169.255.0.0"]),
            (["100.64.0.0", "100.127.255.255"], ["100.63.255.255", "100.128.0.0"]),
            (["0.0.0.0", "0.255.255.255"], ["1.0.0.0", "1.1.1.1"]),
            (["198.18.0.0", "198.19.255.255"], ["198.17.255.255", "198.20.0.0"]),
            (["224.0.0.0", "255.255.255.255"], ["223.255.255.255", "8.8.8.8"]),
            (["168.63.129.16", "192.0.0.192"], ["168.63.129.15", "168.63.129.17"]),
            (["2001::", "2001:1ff:ffff::"], ["2001:200::", "2000:ffff::"]),
            (["2002::", "2002:ffff::1"], ["2003::", "2001:fff:ffff::"]),
            (["3fff::", "3fff:fff::1"], ["3fff:1000::", "2600::1"]),
        ] {
            assert!(inside.iter().all(|ip| what(ip).is_some()), "{inside:?}");
            assert!(outside.iter().all(|ip| what(ip).is_none()), "{outside:?}");
        }
    }

    #[test]
    fn an_address_is_called_by_its_narrowest_network() {
        assert_eq!(what("::1"), Some("loopback addresses"));
        assert_eq!(what("::7f00:1"), Some("IPv4-compatible addresses"));
        assert_eq!(what("64:ff9b::7f00:1"), Some("NAT64 addresses"));
        assert_eq!(what("64:ff9b:1::7f00:1"), Some("NAT64 addresses"));
        assert_eq!(what("2001:0:4136:e378::"), Some("Teredo addresses"));
        assert_eq!(what("2001:2f::1"), Some("ORCHID addresses"));
        assert_eq!(what("2001:db8::1"), Some("documentation addresses"));
        assert_eq!(what("fd00:ec2::254"), Some("private addresses"));
        assert_eq!(what("fec0::1"), Some("private addresses"));
        assert_eq!(what("100::1"), Some("discard-only addresses"));
        assert_eq!(what("5f00::1"), Some("segment routing addresses"));
        assert_eq!(what("255.255.255.255"), Some("broadcast addresses"));
        assert_eq!(what("169.254.169.254"), Some("link-local addresses"));
    }
}
