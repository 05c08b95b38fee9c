import { z } from 'zod';
import { field } from '../field.ts';
import { addressField, gatewayModeField, rangeField, reservedField, subnetField } from './network-forms.ts';
import { contradictions } from './network-rules.ts';
import { booleanField, labels, orNull } from './schema-parts.ts';
import { DRIFT_POLICIES } from './short-forms.ts';

/** IFNAMSIZ - 1 (linux/if.h); `/` and white space are refused by the kernel (dev_valid_name). */
const interfaceName = z
  .string()
  .regex(/^(?!\.{1,2}$)[^\s/:]{1,15}$/, 'an interface name has 1 to 15 characters, without "/", ":" or spaces');

/** Null where nothing is written: what that means is decided when the network is made, and kept. */
const choice = () => orNull(z.boolean());

/** A new field defaults to null: stored specs lack it. */
export const networkFields = z.strictObject({
  driver: field(orNull(z.string().min(1)), {
    doc: 'How containers are connected: `bridge`, a bridge of this host with rules and published ports; `macvlan` or `ipvlan`, interfaces on the network that an interface of the host is in. Default: `bridge`.',
    example: 'bridge',
  }),
  ipv4: field(choice(), {
    doc: 'Containers have IPv4 addresses. Default: true.',
    example: true,
  }),
  ipv6: field(choice(), {
    doc: 'Containers have IPv6 addresses. Default: where this host has IPv6, decided when the network is made (`--ipv6` of the supervisor).',
    example: true,
  }),
  subnet: field(subnetField('ipv4'), {
    doc: 'IPv4 network in CIDR form. Default: a free one of the address pools (`--default-address-pool`), chosen once.',
    example: '10.80.0.0/24',
  }),
  gateway: field(addressField('ipv4'), {
    doc: "The bridge's own address; with drivers that have no bridge the router of the network, without which there is no route by default. Default of a bridge: the first address of the subnet.",
    example: '10.80.0.1',
  }),
  ipRange: field(rangeField('ipv4'), {
    doc: 'The part of `subnet` that addresses are given out from. An `address` that a container asks for may lie outside.',
    change: 'in-place',
    example: '10.80.0.128/25',
  }),
  subnet6: field(subnetField('ipv6'), {
    doc: 'IPv6 network in CIDR form. Default: a free /64 of the unique local prefix of this instance, or of the address pools; chosen once.',
    example: 'fd12:3456:789a:1::/64',
  }),
  gateway6: field(addressField('ipv6'), {
    doc: 'As `gateway`, for IPv6.',
    example: 'fd12:3456:789a:1::1',
  }),
  ipRange6: field(rangeField('ipv6'), {
    doc: 'As `ipRange`, for IPv6.',
    change: 'in-place',
    example: 'fd12:3456:789a:1::100/120',
  }),
  reserved: field(reservedField(), {
    doc: 'Addresses and subnets that are never given out, of either family. Other devices of the network have them.',
    change: 'in-place',
    example: ['10.80.0.5', '10.80.0.64/28'],
  }),
  mtu: field(orNull(z.int().min(576).max(65535)), {
    doc: 'Largest packet in bytes. Default: `--mtu` of the supervisor, with a `parent` that of the parent.',
    example: 1450,
  }),
  icc: field(booleanField(true), {
    doc: 'Containers of the network can reach each other without a link. When false, what is allowed goes by the gateway.',
    change: 'in-place',
    example: false,
  }),
  masquerade: field(booleanField(true), {
    doc: 'Packets that leave the network have the source address of the host.',
    change: 'in-place',
    example: false,
  }),
  gatewayMode: field(gatewayModeField(), {
    doc: 'How other hosts and the network reach each other, for both families or for each (`{ ipv4: nat, ipv6: routed }`). `nat`: by published ports. `nat-unprotected`: at any port of a container too, for who routes to it. `routed`: at published ports of a container, at its own address and without NAT. `isolated`: not at all, and the bridge itself has no address; needs `internal`. Default: `nat`.',
    example: 'routed',
  }),
  internal: field(booleanField(), {
    doc: 'No outgoing traffic and no published ports. Services of the host that listen on every address can still be reached at the gateway address.',
    change: 'in-place',
    example: true,
  }),
  metadata: field(choice(), {
    doc: 'Containers reach the link-local addresses at which clouds serve metadata and credentials (169.254.169.254 and its like). A name server of the host at such an address can be asked in any case. Default: false; true for networks that an earlier version made.',
    change: 'in-place',
    example: true,
  }),
  hostAccess: field(choice(), {
    doc: 'Containers reach services that listen on this host, at the gateway and at every other address. When false they reach only its name servers (port 53), DHCP servers and pings; ports of containers, published by the kernel, and other machines as before. Default: true.',
    change: 'in-place',
    example: false,
  }),
  spoofing: field(choice(), {
    doc: 'Containers may send from addresses that are not their own, as virtual routers and clusters inside containers do. Without, no container can be taken for a neighbour, for the gateway or for another machine. Default: false; has no effect with `icc: false`.',
    change: 'in-place',
    example: true,
  }),
  directAccess: field(choice(), {
    doc: 'Other hosts that route to the network reach every port of its containers, published or not. Default: false.',
    change: 'in-place',
    example: true,
  }),
  bridgeName: field(orNull(interfaceName), {
    doc: 'Name of the bridge interface. Default: derived from app and name.',
    example: 'br-back',
  }),
  parent: field(orNull(interfaceName), {
    doc: 'With `macvlan` and `ipvlan`, the interface of the host whose network containers are in. `eth0.10` is made, and removed after its last network, where it is missing: VLAN 10 of `eth0`. Default: an interface that leads nowhere, for an internal network.',
    example: 'eth0',
  }),
  vlan: field(orNull(z.int().min(1).max(4094)), {
    doc: 'With `parent`, the VLAN (IEEE 802.1Q) of it that containers are in: `parent: eth0` and `vlan: 10` are `parent: eth0.10`.',
    example: 10,
  }),
  mode: field(orNull(z.string().min(1)), {
    doc: '`macvlan`: `bridge` (containers reach each other), `private` (they do not), `vepa` (by way of a switch that sends back), `passthru` (one container has the parent for itself). `ipvlan`: `l2`, `l3`, `l3s`. Default: `bridge`, `l2`.',
    example: 'bridge',
  }),
  drift: field(z.enum(DRIFT_POLICIES).default('heal'), {
    doc: 'Reaction when another program removes the bridge, its address or its rules, or switches net.ipv4.ip_forward off: `heal` restores it, `report` only reports it, `ignore` does nothing.',
    change: 'in-place',
    example: 'report',
  }),
  labels: field(labels(), {
    doc: 'Labels: names and texts for people and tools.',
    change: 'in-place',
    example: { tier: 'back' },
    text: true,
  }),
});

/** Addresses of a network, and how they are connected to each other and to the rest. */
export const networkSchema = networkFields.superRefine((spec, context) => {
  for (const { field: at, message } of contradictions(spec)) {
    context.addIssue({ code: 'custom', path: [at], message });
  }
});

export type NetworkSpec = Readonly<z.output<typeof networkSchema>>;
