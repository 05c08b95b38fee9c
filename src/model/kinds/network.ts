import { z } from 'zod';
import { isHostAddress } from '../addresses.ts';
import { field } from '../field.ts';
import { isIPv4, parseSubnet } from './port-forms.ts';
import { booleanField, labels, orNull, shortForm } from './schema-parts.ts';
import { DRIFT_POLICIES } from './short-forms.ts';

/** IFNAMSIZ - 1 (linux/if.h); `/` and white space are refused by the kernel (dev_valid_name). */
const interfaceName = z
  .string()
  .regex(/^(?!\.{1,2}$)[^\s/:]{1,15}$/, 'an interface name has 1 to 15 characters, without "/", ":" or spaces');

export const networkFields = z.strictObject({
  subnet: field(orNull(shortForm(z.string(), parseSubnet)), {
    doc: 'IPv4 network in CIDR form. Default: a free one, chosen once.',
    example: '10.80.0.0/24',
  }),
  gateway: field(orNull(z.string().refine(isIPv4, 'expected an IPv4 address')), {
    doc: "The bridge's own address. Default: the first address of the subnet.",
    example: '10.80.0.1',
  }),
  mtu: field(orNull(z.int().min(576).max(65535)), {
    doc: 'Largest packet in bytes. Default: `--mtu` of the supervisor.',
    example: 1450,
  }),
  icc: field(booleanField(true), {
    doc: 'Containers of the network can reach each other without a link. When false, each can use only its own MAC and IPv4 address.',
    change: 'in-place',
    example: false,
  }),
  masquerade: field(booleanField(true), {
    doc: 'Packets that leave the network have the source address of the host.',
    change: 'in-place',
    example: false,
  }),
  internal: field(booleanField(), {
    doc: 'No outgoing traffic and no published ports. Services of the host that listen on every address can still be reached at the gateway address.',
    change: 'in-place',
    example: true,
  }),
  bridgeName: field(orNull(interfaceName), {
    doc: 'Name of the bridge interface. Default: derived from app and name.',
    example: 'br-back',
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

/** A bridge of its own, with addresses and rules. */
export const networkSchema = networkFields.superRefine(({ subnet, gateway }, context) => {
  if (gateway === null) return;
  const message = subnet === null ? 'a gateway needs a subnet' : `${gateway} is not a host address of ${subnet}`;
  if (subnet === null || !isHostAddress(gateway, subnet)) {
    context.addIssue({ code: 'custom', path: ['gateway'], message });
  }
});

export type NetworkSpec = Readonly<z.output<typeof networkSchema>>;
