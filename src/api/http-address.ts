/** Where a page or metrics are served: a loopback port, a unix socket, or, when that is forced, any port. */
import { BlockList, isIP } from 'node:net';
import { TsdError } from '../model/errors/errors.ts';

export type HttpAddress =
  | { readonly type: 'tcp'; readonly host: string; readonly port: number; readonly loopback: boolean }
  | { readonly type: 'unix'; readonly path: string };

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

const FORMS = 'write 127.0.0.1:9323, [::1]:9323 or unix:///path';

/** @throws TsdError TSD_FLAG */
export function parseHttpAddress(text: string): HttpAddress {
  const path = /^unix:\/\/(\/.+)$/.exec(text)?.[1];
  if (path !== undefined) return { type: 'unix', path };
  const [, bracketed, plain, digits] = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(text) ?? [];
  const host = (bracketed ?? plain) === 'localhost' ? '127.0.0.1' : (bracketed ?? plain ?? '');
  const family = isIP(host);
  const port = Number(digits);
  const fits = bracketed === undefined ? family === 4 : family === 6;
  if (!fits || port > 65_535) throw new TsdError('TSD_FLAG', `${text} is no address to serve HTTP on`, { hint: FORMS });
  return { type: 'tcp', host, port, loopback: LOOPBACK.check(host, family === 4 ? 'ipv4' : 'ipv6') };
}

/** `http://127.0.0.1:9323`, or the socket. */
export function describeHttpAddress(address: HttpAddress): string {
  if (address.type === 'unix') return `unix://${address.path}`;
  return `http://${isIP(address.host) === 6 ? `[${address.host}]` : address.host}:${address.port}`;
}

/**
 * True for a Host header that a browser sends only to one who typed this host: an address or this host's name. A page of
 * another site that made its own name resolve to us (DNS rebinding) has that name in it.
 */
export function isOwnHost(header: string | undefined, ownName: string): boolean {
  const [, bracketed, plain] = /^(?:\[([^\]]*)\]|([^:]*))(?::\d{1,5})?$/.exec(header ?? '') ?? [];
  const host = (bracketed ?? plain ?? '').toLowerCase();
  return isIP(host) !== 0 || host === 'localhost' || (host !== '' && host === ownName.toLowerCase());
}
