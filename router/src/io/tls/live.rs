//! `sslProfile`s as they are now: what connections are made with, while files are renewed under a running router.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use moorline_definition::router_config::SslProfile;
use rustls::{ClientConfig, ServerConfig};

use super::{Clients, TlsError, TlsFiles, TlsIdentity};
use crate::io::status::CertificateStatus;

/// All `sslProfile`s of a router, by name. Each is read when it is first used.
#[derive(Debug)]
pub(in crate::io) struct Profiles {
    known: Mutex<BTreeMap<String, SslProfile>>,
    loaded: Mutex<BTreeMap<String, Arc<Profile>>>,
}

/// One `sslProfile` that is in use.
#[derive(Debug)]
pub(in crate::io) struct Profile {
    files: TlsFiles,
    current: Mutex<Current>,
}

#[derive(Debug)]
struct Current {
    identity: Arc<TlsIdentity>,
    /// Grows with each renewal.
    generation: u64,
    /// Why the files cannot be used now, though older ones are.
    problem: Option<String>,
}

/// What a look at the files of a profile found.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::io) enum Renewal {
    /// What was known.
    Same,
    /// New certificates or a new key, used from now on.
    Renewed,
    /// They cannot be used, and are not; told for the first time.
    Unusable(String),
}

/// A configuration of the TLS library that follows the files of its profile.
pub(in crate::io) struct Live<C> {
    profile: Arc<Profile>,
    build: Build<C>,
    built: Mutex<(u64, Arc<C>)>,
}

type Build<C> = Box<dyn Fn(&TlsIdentity) -> Result<Arc<C>, TlsError> + Send + Sync>;

impl Profiles {
    pub(in crate::io) fn new(profiles: &[SslProfile]) -> Profiles {
        let known = profiles.iter().map(|profile| (profile.name.clone(), profile.clone())).collect();
        Profiles { known: Mutex::new(known), loaded: Mutex::default() }
    }

    /// Adds a profile whose files can be used.
    pub(in crate::io) fn add(&self, profile: &SslProfile) -> Result<(), TlsError> {
        let loaded = Arc::new(Profile::load(profile)?);
        lock(&self.loaded).insert(profile.name.clone(), loaded);
        lock(&self.known).insert(profile.name.clone(), profile.clone());
        Ok(())
    }

    /// Removes a profile; connections that were made with it go on.
    pub(in crate::io) fn remove(&self, name: &str) {
        lock(&self.known).remove(name);
        lock(&self.loaded).remove(name);
    }

    /// The profile of a name. Reads its files when it is used for the first time.
    pub(in crate::io) fn get(&self, name: &str) -> Result<Arc<Profile>, TlsError> {
        let mut loaded = lock(&self.loaded);
        if let Some(profile) = loaded.get(name) {
            return Ok(Arc::clone(profile));
        }
        let known = lock(&self.known).get(name).cloned();
        let known = known.ok_or_else(|| TlsError::Unknown { profile: name.to_owned() })?;
        let profile = Arc::new(Profile::load(&known)?);
        loaded.insert(name.to_owned(), Arc::clone(&profile));
        Ok(profile)
    }

    /// Those that are in use.
    pub(in crate::io) fn in_use(&self) -> Vec<Arc<Profile>> {
        lock(&self.loaded).values().cloned().collect()
    }
}

impl Profile {
    fn load(profile: &SslProfile) -> Result<Profile, TlsError> {
        let files = files(profile)?;
        let identity = files.load()?;
        Ok(Profile {
            files,
            current: Mutex::new(Current { identity: Arc::new(identity), generation: 0, problem: None }),
        })
    }

    pub(in crate::io) fn name(&self) -> &str {
        &self.files.profile
    }

    /// What its files held when they were last good.
    pub(in crate::io) fn identity(&self) -> Arc<TlsIdentity> {
        Arc::clone(&lock(&self.current).identity)
    }

    /// Reads the files again. Those that cannot be used change nothing: in the middle of a renewal a key may not fit
    /// its certificate.
    pub(in crate::io) fn renew(&self) -> Renewal {
        let fresh = self.files.load().and_then(|identity| identity.check().map(|()| identity));
        let mut current = lock(&self.current);
        match fresh {
            Ok(fresh) => {
                current.problem = None;
                if fresh.is_same_as(&current.identity) {
                    return Renewal::Same;
                }
                current.identity = Arc::new(fresh);
                current.generation += 1;
                Renewal::Renewed
            }
            Err(error) => {
                let words = error.to_string();
                if current.problem.as_ref() == Some(&words) {
                    return Renewal::Same;
                }
                current.problem = Some(words.clone());
                Renewal::Unusable(words)
            }
        }
    }

    pub(in crate::io) fn status(&self) -> CertificateStatus {
        let current = lock(&self.current);
        CertificateStatus {
            profile: self.files.profile.clone(),
            not_after: current.identity.not_after(),
            ca_not_after: current.identity.ca_not_after(),
            renewals: current.generation,
            problem: current.problem.clone(),
        }
    }
}

impl Live<ServerConfig> {
    /// What a listener shows. `alpn`: the protocols that it takes part in, the favourite first.
    pub(in crate::io) fn server(
        profile: Arc<Profile>,
        clients: Clients,
        alpn: &'static [&'static str],
    ) -> Result<Arc<Self>, TlsError> {
        Live::new(profile, move |identity| {
            let mut config = identity.server(clients)?;
            Arc::make_mut(&mut config).alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
            Ok(config)
        })
    }
}

impl Live<ClientConfig> {
    /// What a connector trusts and presents.
    pub(in crate::io) fn client(profile: Arc<Profile>, verify_hostname: bool) -> Result<Arc<Self>, TlsError> {
        Live::new(profile, move |identity| identity.client(verify_hostname))
    }
}

impl<C> Live<C> {
    fn new(
        profile: Arc<Profile>,
        build: impl Fn(&TlsIdentity) -> Result<Arc<C>, TlsError> + Send + Sync + 'static,
    ) -> Result<Arc<Self>, TlsError> {
        let (identity, generation) = {
            let current = lock(&profile.current);
            (Arc::clone(&current.identity), current.generation)
        };
        let built = build(&identity)?;
        Ok(Arc::new(Live { profile, build: Box::new(build), built: Mutex::new((generation, built)) }))
    }

    /// For the next connection.
    pub(in crate::io) fn get(&self) -> Arc<C> {
        let (identity, generation) = {
            let current = lock(&self.profile.current);
            (Arc::clone(&current.identity), current.generation)
        };
        let mut built = lock(&self.built);
        if built.0 != generation {
            match (self.build)(&identity) {
                Ok(config) => built.1 = config,
                Err(error) => {
                    tracing::warn!(profile = %self.profile.name(), %error, "renewed certificates do not serve, the old ones stay");
                }
            }
            built.0 = generation;
        }
        Arc::clone(&built.1)
    }

    pub(in crate::io) fn profile(&self) -> &Profile {
        &self.profile
    }
}

impl<C> fmt::Debug for Live<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").field("profile", &self.profile.files.profile).finish_non_exhaustive()
    }
}

fn files(profile: &SslProfile) -> Result<TlsFiles, TlsError> {
    let path = |text: &Option<String>| text.as_deref().filter(|text| !text.is_empty()).map(PathBuf::from);
    let name = &profile.name;
    let half = |present, absent| TlsError::Half { profile: name.clone(), present, absent };
    Ok(TlsFiles {
        profile: name.clone(),
        ca: path(&profile.ca_cert_file),
        own: match (path(&profile.cert_file), path(&profile.private_key_file)) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            (Some(_), None) => return Err(half("certificate", "private key")),
            (None, Some(_)) => return Err(half("private key", "certificate")),
        },
    })
}

/// A thread that panicked here has left nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
