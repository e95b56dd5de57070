//! What the replies to lookups and writes mean.

use ::redis::{RedisError, Value};

use crate::{Fault, Lookup, Tier};

/// The result of a lookup for each of its keys, after a fault.
pub(super) fn without_answer(fault: Fault) -> Lookup {
    match fault {
        Fault::WrongType => Lookup::Foreign,
        Fault::Misdirected => Lookup::Corrupt,
        fault => Lookup::Unavailable(fault),
    }
}

/// The reply for one key. An error reply fails the whole lookup, except `WRONGTYPE`, which concerns only that key.
pub(super) fn to_lookup(value: Value) -> Result<Lookup, Fault> {
    match value {
        Value::BulkString(value) => Ok(Lookup::Hit(value.into(), Tier::Redis)),
        Value::Nil => Ok(Lookup::Miss),
        Value::ServerError(error) => match Fault::from(RedisError::from(error)) {
            Fault::WrongType => Ok(Lookup::Foreign),
            fault => Err(fault),
        },
        _ => Err(Fault::Misdirected),
    }
}

/// The reply to a write. An error reply to one of its commands fails the whole write.
pub(super) fn to_written(reply: Value) -> Result<(), Fault> {
    match reply {
        Value::Okay | Value::Int(_) => Ok(()),
        Value::Array(replies) => replies.into_iter().try_for_each(to_written),
        Value::ServerError(error) => Err(RedisError::from(error).into()),
        _ => Err(Fault::Misdirected),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_that_cannot_belong_to_the_command_is_told_from_all_others() {
        let value = || Value::BulkString(b"DECLINE".to_vec());
        for reply in [Value::Okay, Value::Int(1), Value::Array(vec![value()]), Value::SimpleString("QUEUED".to_owned())]
        {
            assert!(matches!(to_lookup(reply.clone()), Err(Fault::Misdirected)), "{reply:?}");
        }
        assert!(matches!(to_lookup(value()), Ok(Lookup::Hit(..))));
        assert!(matches!(to_lookup(Value::Nil), Ok(Lookup::Miss)));
        for reply in [value(), Value::Nil, Value::Array(vec![Value::Okay, value()])] {
            assert_eq!(to_written(reply.clone()), Err(Fault::Misdirected), "{reply:?}");
        }
        for reply in [Value::Okay, Value::Array(vec![Value::Int(1), Value::Int(1)])] {
            assert_eq!(to_written(reply.clone()), Ok(()), "{reply:?}");
        }
    }
}
