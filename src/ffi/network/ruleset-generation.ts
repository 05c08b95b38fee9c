/** The number of the packet filter's present rules. Layouts and constants: linux/netfilter/{nfnetlink,nf_tables}.h. */
import { TsdError } from '../../model/errors/errors.ts';
import { NETLINK_NETFILTER, NetlinkSocket, parseAttributes } from './netlink.ts';

const NFNL_SUBSYS_NFTABLES = 10;
const NFT_MSG_GETGEN = 16;
const NFTA_GEN_ID = 1;
/** struct nfgenmsg: any family, NFNETLINK_V0, no resource. */
const HEADER = Buffer.alloc(4);

/** Of the network namespace it was opened in. */
export class RulesetGeneration {
  readonly #socket = new NetlinkSocket(NETLINK_NETFILTER);

  /** Another number with each transaction, whoever makes it: with the same one all tables are as they were. @throws TsdError */
  read(): number {
    const step = 'ask for the number of the rules';
    const type = (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETGEN;
    const [answer] = this.#socket.query({ step, type, flags: 0, body: HEADER });
    const id = answer && parseAttributes(answer, HEADER.length).get(NFTA_GEN_ID);
    if (id === undefined) throw new TsdError('TSD_BUG', `${step}: an answer without it`);
    return id.readUInt32BE(0);
  }

  close(): void {
    this.#socket.close();
  }
}
