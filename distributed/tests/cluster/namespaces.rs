//! Hosts that are network namespaces of this machine, on one bridge.

use std::net::Ipv4Addr;
use std::process::{Command, Output};

/// A network of its own. It goes when it is dropped.
pub struct Network {
    hosts: Vec<String>,
}

impl Network {
    /// So many hosts, or why this machine has no room for them.
    pub fn new(hosts: u8) -> Result<Self, String> {
        let name = |host| format!("quarray-{}-{host}", std::process::id());
        let mut network = Self { hosts: Vec::new() };
        for host in 0..hosts {
            let name = name(host);
            ip(&["netns", "add", &name])?;
            network.hosts.push(name.clone());
            ip(&["-n", &name, "link", "set", "lo", "up"])?;
        }
        let hub = name(0);
        ip(&["link", "add", "bridge", "netns", &hub, "type", "bridge"])?;
        for host in 1..hosts {
            let (there, port) = (name(host), format!("port{host}"));
            ip(&["link", "add", &port, "netns", &hub, "type", "veth", "peer", "name", "uplink", "netns", &there])?;
            ip(&["-n", &hub, "link", "set", &port, "master", "bridge", "up"])?;
            network.give_address(host, "uplink")?;
        }
        network.give_address(0, "bridge")?;
        Ok(network)
    }

    /// The address of a host; the first of them is 0.
    pub fn address(host: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 213, 0, host + 1)
    }

    /// What runs a program on a host stands before its name.
    pub fn prefix(&self, host: u8) -> Vec<String> {
        let name = self.hosts.get(usize::from(host)).cloned().unwrap_or_default();
        ["ip", "netns", "exec"].into_iter().map(str::to_string).chain([name]).collect()
    }

    fn give_address(&self, host: u8, device: &str) -> Result<(), String> {
        let name = self.hosts.get(usize::from(host)).ok_or("no such host")?;
        ip(&["-n", name, "address", "add", &format!("{}/24", Self::address(host)), "dev", device])?;
        ip(&["-n", name, "link", "set", device, "up"])
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for host in &self.hosts {
            // What is left goes with the machine.
            let _ = ip(&["netns", "delete", host]);
        }
    }
}

fn ip(arguments: &[&str]) -> Result<(), String> {
    let shown = || format!("ip {}", arguments.join(" "));
    let ended: Output = Command::new("ip").args(arguments).output().map_err(|error| format!("{}: {error}", shown()))?;
    match ended.status.success() {
        true => Ok(()),
        false => Err(format!("{}: {}", shown(), String::from_utf8_lossy(&ended.stderr).trim())),
    }
}
