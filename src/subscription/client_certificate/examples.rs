//! Certificates that sign for themselves, valid until the year 9966, for tests.

use super::ClientCertificate;

/// A certificate and its key.
pub const ONE: [&str; 2] = [
    "\
-----BEGIN CERTIFICATE-----
MIIBQjCB9aADAgECAhQQzTLyAJ+kdeTdSA9YNlFrGylCrTAFBgMrZXAwFjEUMBIG
A1UEAwwLb25lLmV4YW1wbGUwIBcNMjYxMjAxMDAyNDAwWhgPOTk2NjExMDYwMDI0
MDBaMBYxFDASBgNVBAMMC29uZS5leGFtcGxlMCowBQYDK2VwAyEAfSIBa97unMss
yVGCaS3JzoZUwrh/tXjgyArxLRvXweWjUzBRMB0GA1UdDgQWBBTAb+9RXU6v93Kq
rg+JzEzkgC8JIzAfBgNVHSMEGDAWgBTAb+9RXU6v93Kqrg+JzEzkgC8JIzAPBgNV
HRMBAf8EBTADAQH/MAUGAytlcANBALtc5bIxKTNcQ4NAvBwkqXX4OoCQUjSkaosz
2DEsZ9i1pejeJ/0NVR0sKg/zwz6Uqp30xv6cKnBqQRUJt8a2OAo=
-----END CERTIFICATE-----
",
    "\
-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIGKgGkgpxbsXivfjKPCeXuFH7UoESarjoWjkrHlfOaPf
-----END PRIVATE KEY-----
",
];
/// Another one and its key.
pub const OTHER: [&str; 2] = [
    "\
-----BEGIN CERTIFICATE-----
MIIBRjCB+aADAgECAhRbS6FKUTojHQ1DWZ4c67mzA7S43jAFBgMrZXAwGDEWMBQG
A1UEAwwNb3RoZXIuZXhhbXBsZTAgFw0yNjEyMDEwMDI0MDBaGA85OTY2MTEwNjAw
MjQwMFowGDEWMBQGA1UEAwwNb3RoZXIuZXhhbXBsZTAqMAUGAytlcAMhAHaCoemM
V2GXl5uOnw7VpbTU4WUGYoM+LYEupHwYmtmDo1MwUTAdBgNVHQ4EFgQUupmNBBtQ
T1r8WZlnrmvC6vNGgqEwHwYDVR0jBBgwFoAUupmNBBtQT1r8WZlnrmvC6vNGgqEw
DwYDVR0TAQH/BAUwAwEB/zAFBgMrZXADQQDt1OtAIZ4N79pdvUOzx9hpPUxSm7+1
JDy/7DPFIEKkjXPCqrBixOy/RAo2jo1q5uF7Jvx+parINge4CoUQIQYC
-----END CERTIFICATE-----
",
    "\
-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIAhBsu+N3jYXXEre+Gr2UtEIupeKdOjHmip8TwRFi1E6
-----END PRIVATE KEY-----
",
];

pub fn one() -> ClientCertificate {
    ClientCertificate::from_pem(ONE[0], ONE[1]).unwrap()
}

pub fn other() -> ClientCertificate {
    ClientCertificate::from_pem(OTHER[0], OTHER[1]).unwrap()
}
