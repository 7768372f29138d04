//! Certificates and keys of one control plane: an own authority, a serving certificate, the front proxy's, and the
//! key that signs ServiceAccount tokens.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose,
};

use super::error::Error;

/// The files that the control plane's programs are pointed to.
#[derive(Clone, Debug)]
pub(crate) struct Pki {
    pub(crate) ca_cert: PathBuf,
    pub(crate) ca_key: PathBuf,
    pub(crate) serving_cert: PathBuf,
    pub(crate) serving_key: PathBuf,
    pub(crate) front_proxy_ca: PathBuf,
    pub(crate) front_proxy_cert: PathBuf,
    pub(crate) front_proxy_key: PathBuf,
    pub(crate) service_account_public: PathBuf,
    pub(crate) service_account_private: PathBuf,
}

/// The names under which the API server is reached: from this machine, and as pods would see it.
const NAMES: [&str; 7] = [
    "localhost",
    "127.0.0.1",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    // The first address of the service range, which the `kubernetes` Service gets.
    super::flags::KUBERNETES_SERVICE_IP,
];

impl Pki {
    /// The paths in a folder.
    pub(crate) fn at(folder: &Path) -> Pki {
        let file = |name: &str| folder.join(name);
        Pki {
            ca_cert: file("ca.crt"),
            ca_key: file("ca.key"),
            serving_cert: file("serving.crt"),
            serving_key: file("serving.key"),
            front_proxy_ca: file("front-proxy-ca.crt"),
            front_proxy_cert: file("front-proxy.crt"),
            front_proxy_key: file("front-proxy.key"),
            service_account_public: file("service-account.pub"),
            service_account_private: file("service-account.key"),
        }
    }

    /// Makes everything anew, with ECDSA keys on P-256, which cost no noticeable time.
    pub(crate) fn create(folder: &Path) -> Result<Pki, Error> {
        fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        let pki = Pki::at(folder);

        let ca = Authority::new("portolan-local")?;
        write(&pki.ca_cert, &ca.pem)?;
        write(&pki.ca_key, &ca.issuer.key().serialize_pem())?;
        let names = NAMES.map(str::to_owned).to_vec();
        let (certificate, key) = ca.sign("kube-apiserver", names, ExtendedKeyUsagePurpose::ServerAuth)?;
        write(&pki.serving_cert, &certificate)?;
        write(&pki.serving_key, &key)?;

        // An authority of its own: a client certificate of the cluster's authority must not pass for the front proxy.
        let front = Authority::new("portolan-local-front-proxy")?;
        write(&pki.front_proxy_ca, &front.pem)?;
        let (certificate, key) =
            front.sign("front-proxy-client", vec![], ExtendedKeyUsagePurpose::ClientAuth)?;
        write(&pki.front_proxy_cert, &certificate)?;
        write(&pki.front_proxy_key, &key)?;

        let service_account = KeyPair::generate()?;
        write(&pki.service_account_private, &service_account.serialize_pem())?;
        write(&pki.service_account_public, &service_account.public_key_pem())?;
        Ok(pki)
    }
}

/// The identity of a server of our own on the loopback interface, signed by an authority of its own. All PEM.
pub(crate) struct ServerIdentity {
    /// Whom its clients have to trust.
    pub(crate) authority: String,
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl ServerIdentity {
    /// A fresh one.
    pub(crate) fn create(name: &str) -> Result<ServerIdentity, Error> {
        let ca = Authority::new(&format!("{name}-authority"))?;
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let (certificate, key) = ca.sign(name, names, ExtendedKeyUsagePurpose::ServerAuth)?;
        Ok(ServerIdentity { authority: ca.pem, certificate, key })
    }
}

/// An authority of our own, for as long as the value lives: its key is never written down by itself.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    /// The certificate that its clients have to trust, PEM.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// The identity of a server, by the name of its host: certificate and key, both PEM.
    pub(crate) fn server(&self, host: &str) -> Result<(String, String), Error> {
        self.sign(host, vec![host.to_owned()], ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// A fresh one.
    pub(crate) fn new(name: &str) -> Result<Authority, Error> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages =
            vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
        let pem = params.self_signed(&key)?.pem();
        Ok(Authority { issuer: Issuer::new(params, key), pem })
    }

    /// A certificate for `name` and its key, both PEM.
    fn sign(
        &self,
        name: &str,
        subject_alternatives: Vec<String>,
        usage: ExtendedKeyUsagePurpose,
    ) -> Result<(String, String), Error> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(subject_alternatives)?;
        params.distinguished_name = common_name(name);
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![usage];
        Ok((params.signed_by(&key, &self.issuer)?.pem(), key.serialize_pem()))
    }
}

fn common_name(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

/// Writes a file that only its owner may read.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), Error> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(path).map_err(Error::io("create", path))?;
    file.write_all(text.as_bytes()).map_err(Error::io("write", path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn every_file_is_there_and_private() {
        let folder = tempfile::tempdir().unwrap();
        Pki::create(folder.path()).unwrap();
        let files: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap()).collect();
        assert_eq!(files.len(), 9);
        for file in files {
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", file.path());
            assert!(fs::read_to_string(file.path()).unwrap().starts_with("-----BEGIN "), "{:?}", file.path());
        }
    }
}
