/** What the drivers of interfaces on an interface of the host differ in. */
import type { L2Kind as LinkKind } from '../../../ffi/network/l2-links.ts';
import type { NetlinkMessage } from '../../../ffi/network/netlink.ts';

/** An interface of a container that is to be made, in its namespace. */
interface NewInterface {
  /** For the time until it is renamed: older kernels look for it in the host's namespace too. */
  readonly name: string;
  /** Index of the interface of the host that it is on. */
  readonly parent: number;
  readonly group: number;
  readonly mtu: number;
  readonly netnsFd: number;
  /** Null for the kernel's choice. */
  readonly mac: string | null;
}

export interface L2Kind {
  /** Name of the driver, and of the kind of links. */
  readonly name: LinkKind & ('macvlan' | 'ipvlan');
  /** The default first. */
  readonly modes: readonly string[];
  /** Each interface has a MAC; otherwise all have that of the parent. */
  readonly ownMac: boolean;
  /** Packets leave by the interface itself, whatever their destination: there is no gateway. */
  routes(mode: string): boolean;
  /** The parent has one interface and no other. */
  isAlone(mode: string): boolean;
  /** All interfaces of a parent are in one mode, that of the last one made. */
  readonly oneMode: boolean;
  newInterface(mode: string, wanted: NewInterface): NetlinkMessage;
}
