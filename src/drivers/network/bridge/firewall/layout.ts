/**
 * Sets and chains of the nftables tables of one supervisor: `inet` for what passes through the host, `bridge` for what
 * containers of one bridge send each other. Rules are fixed; what changes are elements. Data.
 *
 * Forwarded packets of our bridges: answers pass; containers of one open network reach each other; links pass; networks
 * that are internal have no way in or out; published ports pass; our bridges accept nothing else, so they are isolated
 * from each other and from other hosts. What a container sends elsewhere passes and is rewritten where asked.
 *
 * An accept ends the way through one chain only: whatever another firewall of this host drops stays dropped.
 */

export type Family = 'inet' | 'bridge';

/**
 * `names`: how many of the first fields of a key are interface names, which are quoted. `nf_proto` is a family of
 * addresses, for what a network may have in one family only.
 */
export const SETS = {
  bridges: { family: 'inet', type: 'ifname', names: 1 },
  open: { family: 'inet', type: 'ifname . ifname', names: 2 },
  internal: { family: 'inet', type: 'ifname', names: 1 },
  /** Sources that containers of a bridge may have. */
  ranges: { family: 'inet', type: 'ifname . ipv4_addr', names: 1, interval: true },
  ranges6: { family: 'inet', type: 'ifname . ipv6_addr', names: 1, interval: true },
  subnets: { family: 'inet', type: 'ipv4_addr', names: 0, interval: true },
  subnets6: { family: 'inet', type: 'ipv6_addr', names: 0, interval: true },
  outbound: { family: 'inet', type: 'ipv4_addr', names: 0, interval: true },
  outbound6: { family: 'inet', type: 'ipv6_addr', names: 0, interval: true },
  /** Bridges whose containers do not reach metadata services. */
  metadata_closed: { family: 'inet', type: 'ifname', names: 1 },
  /** Bridges whose containers do not reach services of this host. */
  hostless: { family: 'inet', type: 'ifname', names: 1 },
  /** Bridges that share no network of the family with this host. */
  isolated: { family: 'inet', type: 'ifname . nf_proto', names: 1 },
  /** Bridges whose containers other machines reach at every port. */
  exposed: { family: 'inet', type: 'ifname . nf_proto', names: 1 },
  /** Bridges whose containers other machines reach at their own addresses, at published ports. */
  routed: { family: 'inet', type: 'ifname . nf_proto', names: 1 },
  services: { family: 'inet', type: 'ipv4_addr . inet_proto . inet_service', names: 0 },
  services6: { family: 'inet', type: 'ipv6_addr . inet_proto . inet_service', names: 0 },
  /** Published by a listener on 127/8 and on ::1. */
  userland: { family: 'inet', type: 'inet_proto . inet_service', names: 0 },
  reach: { family: 'inet', type: 'ifname . ipv4_addr . ipv4_addr . inet_proto . inet_service', names: 1 },
  reach6: { family: 'inet', type: 'ifname . ipv6_addr . ipv6_addr . inet_proto . inet_service', names: 1 },
  ports: { family: 'inet', type: 'ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service', names: 0 },
  ports6: { family: 'inet', type: 'ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service', names: 0 },
  ports_any: { family: 'inet', type: 'inet_proto . inet_service : ipv4_addr . inet_service', names: 0 },
  ports6_any: { family: 'inet', type: 'inet_proto . inet_service : ipv6_addr . inet_service', names: 0 },
  /** Containers' own interfaces that are kept to their addresses. */
  fenced: { family: 'bridge', type: 'ifname', names: 1 },
  /** Interfaces of containers that an earlier version started without a fence; their next start has one. No rule reads it. */
  unfenced: { family: 'bridge', type: 'ifname', names: 1 },
  /** Interface, MAC and address: one element for each address that the endpoint may send from. */
  leased: { family: 'bridge', type: 'ifname . ether_addr . ipv4_addr', names: 1 },
  leased6: { family: 'bridge', type: 'ifname . ether_addr . ipv6_addr', names: 1 },
} as const;

export type SetName = keyof typeof SETS;

/**
 * Where clouds serve credentials of the machine to whoever asks from it. Link-local IPv4 is what nearly all use (AWS, Azure,
 * Google, OpenStack, Oracle, DigitalOcean; tasks and pods at AWS); then Alibaba, the wire server of Azure, and Oracle's
 * older one. IPv6: AWS, Google, OpenStack. Some are name servers as well, so that port 53 stays open.
 */
const METADATA = '{ 169.254.0.0/16, 100.100.100.200, 168.63.129.16, 192.0.0.192 }';
const METADATA6 = '{ fd00:ec2::/32, fd20:ce::254, fe80::a9fe:a9fe }';

export interface Chain {
  /** `inet` when left out. */
  readonly family?: Family;
  readonly hook: string | null;
  readonly rules: readonly string[];
}

/**
 * Chains in the order they see a packet.
 *
 * `fence`: what comes from a container bears the addresses of its lease, so that no container can be taken for another one
 * or for the gateway: IPv4 and ARP by sender, IPv6 by source and by what it advertises. Routers are advertised by nobody.
 * Its table is of the bridge family, which knows the container's own interface.
 *
 * `guard`: before anything is translated. A bridge may route 127/8 (for ports published there), so nothing from a container
 * may claim such an address, and what listeners publish on 127/8 is not for the wire, whatever the interface routes.
 * What leaves a network comes from that network.
 *
 * `output` leaves to the userland forwarder what is published by it on 127/8, and ::1, which cannot be translated; so are
 * link-local addresses, which need an interface.
 *
 * `postrouting`: a container that reaches a published port of its own network must see the answer come back through
 * us; so must the host's 127.0.0.1.
 *
 * `input`: services of the host that containers may not reach; those of name resolution and address assignment they may.
 */
export const CHAINS: Readonly<Record<string, Chain>> = {
  fence: {
    family: 'bridge',
    hook: 'type filter hook prerouting priority -300; policy accept;',
    rules: [
      'iifname != @fenced accept',
      'ether type ip iifname . ether saddr . ip saddr @leased accept',
      'ether type arp iifname . ether saddr . arp saddr ip @leased iifname . arp saddr ether . arp saddr ip @leased accept',
      'ether type != ip6 counter drop',
      'ip6 saddr :: icmpv6 type nd-neighbor-solicit iifname . ether saddr . icmpv6 taddr @leased6 accept',
      'iifname . ether saddr . ip6 saddr != @leased6 counter drop',
      'icmpv6 type { nd-router-advert, nd-redirect } counter drop',
      'icmpv6 type nd-neighbor-advert iifname . ether saddr . icmpv6 taddr != @leased6 counter drop',
    ],
  },
  guard: {
    hook: 'type filter hook prerouting priority raw; policy accept;',
    rules: [
      'iifname != "lo" ip daddr 127.0.0.0/8 meta l4proto . th dport @userland counter drop',
      'iifname != @bridges accept',
      'ip daddr 127.0.0.0/8 counter drop',
      'ip saddr 127.0.0.0/8 counter drop',
      'meta nfproto ipv4 iifname . ip saddr != @ranges counter drop',
      'meta nfproto ipv6 iifname . ip6 saddr != @ranges6 counter drop',
      'iifname != @metadata_closed accept',
      'meta l4proto { tcp, udp } th dport 53 accept',
      `ip daddr ${METADATA} counter drop`,
      `ip6 daddr ${METADATA6} counter drop`,
    ],
  },
  publish: {
    hook: null,
    rules: [
      'dnat ip to ip daddr . meta l4proto . th dport map @ports',
      'dnat ip to meta l4proto . th dport map @ports_any',
      'dnat ip6 to ip6 daddr . meta l4proto . th dport map @ports6',
      'dnat ip6 to meta l4proto . th dport map @ports6_any',
    ],
  },
  prerouting: {
    hook: 'type nat hook prerouting priority dstnat; policy accept;',
    rules: [
      'ip daddr != 127.0.0.0/8 fib daddr type local jump publish',
      'ip6 saddr != fe80::/10 ip6 daddr != fe80::/10 fib daddr type local jump publish',
    ],
  },
  output: {
    hook: 'type nat hook output priority dstnat; policy accept;',
    rules: [
      'ip daddr 127.0.0.0/8 meta l4proto . th dport @userland return',
      'meta nfproto ipv4 fib daddr type local jump publish',
      'ip6 daddr != ::1 ip6 daddr != fe80::/10 fib daddr type local jump publish',
    ],
  },
  postrouting: {
    hook: 'type nat hook postrouting priority srcnat; policy accept;',
    rules: [
      'oifname @bridges ip saddr 127.0.0.0/8 ct status dnat masquerade',
      'oifname @bridges ip saddr @subnets ct status dnat masquerade',
      'oifname @bridges ip6 saddr @subnets6 ct status dnat masquerade',
      'oifname != @bridges ip saddr @outbound masquerade',
      'oifname != @bridges ip6 saddr @outbound6 masquerade',
    ],
  },
  input: {
    hook: 'type filter hook input priority filter; policy accept;',
    rules: [
      'iifname != @bridges accept',
      'ct state established,related accept',
      'iifname . meta nfproto @isolated counter drop',
      'iifname != @hostless accept',
      'meta l4proto { icmp, ipv6-icmp } accept',
      'meta l4proto { tcp, udp } th dport 53 accept',
      'udp dport { 67, 547 } accept',
      'counter drop',
    ],
  },
  forward: {
    hook: 'type filter hook forward priority filter; policy accept;',
    rules: [
      'iifname != @bridges oifname != @bridges accept',
      'ct state established,related accept',
      'iifname . oifname @open accept',
      'iifname . ip saddr . ip daddr . meta l4proto . th dport @reach accept',
      'iifname . ip6 saddr . ip6 daddr . meta l4proto . th dport @reach6 accept',
      'iifname @internal counter drop',
      'oifname @internal counter drop',
      'ct status dnat accept',
      'ip daddr . meta l4proto . th dport @services accept',
      'ip6 daddr . meta l4proto . th dport @services6 accept',
      'oifname . meta nfproto @routed meta l4proto { icmp, ipv6-icmp } accept',
      'iifname != @bridges oifname . meta nfproto @exposed accept',
      'oifname @bridges counter drop',
    ],
  },
};

/** Raised when sets, chains or rules change, so that an upgraded supervisor rewrites the table. */
export const RULES_VERSION = 4;
/** The first whose rules look at sources and fence every container. */
export const FENCED_VERSION = 3;
