/** Ports that the kernel gives to programs that ask for any; ip-sysctl of the kernel's documentation. */
import { DYNAMIC_PORTS, type PortRange } from '../../model/addresses.ts';
import { readTextOrEmpty } from '../files/text-files.ts';

const SETTINGS = '/proc/sys/net/ipv4';

/** `8080,9148-9160`, as ip_local_reserved_ports has it. */
function portsOf(text: string): number[] {
  return text
    .trim()
    .split(',')
    .filter((part) => part !== '')
    .flatMap((part) => {
      const [first = 0, last = first] = part.split('-').map(Number);
      return Array.from({ length: last - first + 1 }, (_, index) => first + index);
    });
}

/** As it is now: an administrator may change it at any time. */
export function readPortRange(): PortRange {
  const [first = 0, last = 0] = readTextOrEmpty(`${SETTINGS}/ip_local_port_range`).trim().split(/\s+/).map(Number);
  if (first < 1 || last < first) return DYNAMIC_PORTS;
  return { first, last, reserved: new Set(portsOf(readTextOrEmpty(`${SETTINGS}/ip_local_reserved_ports`))) };
}
