//! A connection to Redis that sends commands encoded in advance, because a client library takes longer per command than Redis.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
};

/// A reply in Redis's protocol, RESP2.
#[derive(Debug, PartialEq)]
pub(crate) enum Reply {
    Nil,
    Number(i64),
    Text(Vec<u8>),
    Error(String),
    Many(Vec<Self>),
}

pub(crate) struct Wire {
    replies: BufReader<TcpStream>,
    line: Vec<u8>,
}

/// A command encoded in Redis's protocol.
pub(crate) fn encode(words: &[&[u8]]) -> Vec<u8> {
    let mut command = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        command.extend(format!("${}\r\n", word.len()).into_bytes());
        command.extend(*word);
        command.extend(b"\r\n");
    }
    command
}

impl Wire {
    pub(crate) fn connect(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        Ok(Self { replies: BufReader::with_capacity(1 << 16, stream), line: Vec::new() })
    }

    /// Sends encoded commands. The caller must read each reply with [`Self::reply`].
    pub(crate) fn send(&mut self, commands: &[u8]) -> io::Result<()> {
        self.replies.get_mut().write_all(commands)
    }

    pub(crate) fn reply(&mut self) -> io::Result<Reply> {
        self.line.clear();
        self.replies.read_until(b'\n', &mut self.line)?;
        let broken = || io::Error::new(io::ErrorKind::InvalidData, "not a reply of Redis");
        let (kind, text) = self.line.trim_ascii_end().split_first().ok_or_else(broken)?;
        let number = || std::str::from_utf8(text).ok().and_then(|text| text.parse::<i64>().ok()).ok_or_else(broken);
        match kind {
            b'+' => Ok(Reply::Text(text.to_vec())),
            b'-' => Ok(Reply::Error(String::from_utf8_lossy(text).into_owned())),
            b':' => Ok(Reply::Number(number()?)),
            b'$' => {
                let Ok(length) = usize::try_from(number()?) else { return Ok(Reply::Nil) };
                let mut bytes = vec![0; length + 2];
                self.replies.read_exact(&mut bytes)?;
                bytes.truncate(length);
                Ok(Reply::Text(bytes))
            }
            b'*' => {
                let Ok(length) = usize::try_from(number()?) else { return Ok(Reply::Nil) };
                (0..length).map(|_| self.reply()).collect::<io::Result<_>>().map(Reply::Many)
            }
            _ => Err(broken()),
        }
    }

    /// Sends one command, which must succeed.
    pub(crate) fn command(&mut self, words: &[&str]) -> io::Result<Reply> {
        self.send(&encode(&words.iter().map(|word| word.as_bytes()).collect::<Vec<_>>()))?;
        match self.reply()? {
            Reply::Error(error) => Err(io::Error::other(format!("{words:?}: {error}"))),
            reply => Ok(reply),
        }
    }

    /// A number or text from `INFO`.
    pub(crate) fn info(&mut self, name: &str) -> io::Result<String> {
        let Reply::Text(info) = self.command(&["INFO"])? else { return Err(io::Error::other("no INFO")) };
        let info = String::from_utf8_lossy(&info);
        let value = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.map(str::to_owned).ok_or_else(|| io::Error::other(format!("INFO has no {name}")))
    }

    pub(crate) fn info_number(&mut self, name: &str) -> io::Result<u64> {
        self.info(name)?.parse().map_err(|_| io::Error::other(format!("{name} is not a number")))
    }
}
