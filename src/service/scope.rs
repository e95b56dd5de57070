//! The part of the cache that a request may use: its tenant's, where each tenant has its own.

use std::{borrow::Cow, sync::Once};

use super::PredictionService;
use crate::cache::{KeySpace, Tenant};

/// The part of the cache that a request may use.
pub(super) struct Scope<'a> {
    pub(super) keys: Cow<'a, KeySpace>,
    /// Whether it may use none.
    pub(super) is_off: bool,
}

/// One request is enough to tell.
static TOLD: Once = Once::new();

impl PredictionService {
    /// Whether each tenant has its own entries.
    pub fn is_per_tenant(&self) -> bool {
        self.per_tenant
    }

    /// The part for a tenant. Where each has its own entries, a request without a tenant has none: it can be anybody's.
    pub(super) fn scope(&self, tenant: Option<&Tenant>) -> Scope<'_> {
        let is_off = self.cache.is_off();
        match tenant {
            _ if !self.per_tenant => Scope { keys: Cow::Borrowed(&self.keys), is_off },
            Some(tenant) => Scope { keys: Cow::Owned(self.keys.of_tenant(tenant)), is_off },
            None => {
                TOLD.call_once(|| {
                    tracing::warn!(
                        "CACHE_PER_TENANT is set, but a request has no tenant: it is answered without the cache"
                    );
                });
                Scope { keys: Cow::Borrowed(&self.keys), is_off: true }
            }
        }
    }
}
