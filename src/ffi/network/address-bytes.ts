/** Addresses as the kernel writes them: 4 or 16 bytes in network order, and the number of their family. */
import { ADDRESS_BITS, type Family, formatAddress, parseAddress } from '../../model/addresses.ts';
import { TsdError } from '../../model/errors/errors.ts';

export const FAMILY_OF: Readonly<Record<Family, number>> = { ipv4: 2, ipv6: 10 };

/** @throws TsdError TSD_NETWORK for text that is no address. */
export function addressBytes(address: string): Buffer {
  const parsed = parseAddress(address);
  if (parsed === null)
    throw new TsdError('TSD_NETWORK', `${JSON.stringify(address)} is not an address`, { class: 'invalid' });
  const { family, value } = parsed;
  return Buffer.from(value.toString(16).padStart(ADDRESS_BITS[family] / 4, '0'), 'hex');
}

/** AF_INET or AF_INET6. @param bytes of {@link addressBytes} */
export const familyNumber = (bytes: Buffer): number => FAMILY_OF[bytes.length === 4 ? 'ipv4' : 'ipv6'];

/**
 * The text of an address that stands in a message.
 * @param family AF_INET, AF_INET6; null for any other, which has no addresses that we know
 */
export function addressAt(bytes: Buffer, at: number, family: number): string | null {
  if (family === FAMILY_OF.ipv4) return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`;
  if (family !== FAMILY_OF.ipv6) return null;
  const value = (bytes.readBigUInt64BE(at) << 64n) | bytes.readBigUInt64BE(at + 8);
  return formatAddress({ family: 'ipv6', value });
}
