import { readTextOrEmpty } from '../../ffi/files/text-files.ts';
import { canonicalAddress } from '../../model/addresses.ts';

const LOOPBACK = /^(127\.|::1$)/;

/** Name servers of /etc/resolv.conf other than the host itself, of both families. */
export function nameServers(): string[] {
  return readTextOrEmpty('/etc/resolv.conf')
    .split('\n')
    .flatMap((line) => {
      const [keyword, written = ''] = line.trim().split(/\s+/);
      const address = keyword === 'nameserver' ? canonicalAddress(written) : null;
      return address === null || LOOPBACK.test(address) ? [] : [address];
    });
}
