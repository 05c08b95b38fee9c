import { decode, encode, type Packet } from 'dns-packet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { answersQuestion, lifetimeOf } from '../../../src/resolver/forward/upstream-reply.ts';
import { isQuery, type Query, readQuery } from '../../../src/resolver/packet/query.ts';
import { bareReply, prepare, replyFrom } from '../../../src/resolver/packet/reply.ts';

const IN = { class: 'IN' } as const;

function question(name: string, type: 'A' | 'AAAA' | 'PTR' = 'A', more: Partial<Packet> = {}): Buffer {
  return encode({ type: 'query', id: 7, flags: 0x100, questions: [{ type, name, ...IN }], ...more } as Packet);
}

const opt = (udpPayloadSize: number, options: readonly object[] = []) =>
  ({ additionals: [{ type: 'OPT', name: '.', udpPayloadSize, flags: 0, options }] }) as unknown as Partial<Packet>;

function read(bytes: Buffer): Query {
  const query = readQuery(bytes);
  if (!isQuery(query)) throw new Error(`no question: ${query.code}`);
  return query;
}

const first = () => 0;

describe('a question', () => {
  it('is read with its name in small letters, type and EDNS', () => {
    expect(read(question('WeB.Front'))).toMatchObject({
      id: 7,
      name: 'web.front',
      type: 1,
      class: 1,
      edns: null,
      isPlain: true,
    });
    expect(read(question('.', 'A', opt(4096)))).toMatchObject({
      name: '',
      edns: { size: 4096, version: 0 },
      isPlain: true,
    });
    const cookie = opt(1232, [{ code: 10, data: Buffer.alloc(8) }]);
    expect(read(question('a', 'A', cookie))).toMatchObject({ isPlain: false });
  });

  it('that has a dot or a byte of its own in a label is none of our names', () => {
    const bytes = question('a-b');
    bytes.write('a.b', 13, 'latin1');
    expect(read(bytes).name).toBe('a\\046b');
    bytes.write('a\xffb', 13, 'latin1');
    expect(read(bytes).name).toBe('a\\255b');
  });

  it('is read as the library reads it, whatever the name', () => {
    const label = fc.stringMatching(/^[a-z0-9_-]{1,20}$/);
    fc.assert(
      fc.property(
        fc.array(label, { minLength: 1, maxLength: 8 }),
        fc.constantFrom('A', 'AAAA', 'PTR'),
        (labels, type) => {
          const bytes = question(labels.join('.'), type);
          const query = read(bytes);
          expect(query.name).toBe(decode(bytes).questions?.[0]?.name);
          expect(query.questionEnd).toBe(bytes.length);
        },
      ),
    );
  });

  it('from a fuzzer is read or refused, never a fault; what is read can be answered', () => {
    const packet = fc.oneof(
      fc.uint8Array({ maxLength: 600 }).map((bytes) => Buffer.from(bytes)),
      fc
        .tuple(
          fc.constantFrom(question('web.front', 'A', opt(1232)), question('a')),
          fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 6 }),
          fc.nat(60),
        )
        .map(([whole, changes, cut]) => {
          const bytes = Buffer.from(whole.subarray(0, Math.max(whole.length - cut, 0)));
          for (const [at, byte] of changes) if (bytes.length > 0) bytes[at % bytes.length] = byte;
          return bytes;
        }),
    );
    fc.assert(
      fc.property(packet, (bytes) => {
        const query = readQuery(bytes);
        if (!isQuery(query)) {
          if (query.code !== null) expect(bareReply(bytes, null, query.code)).toHaveLength(12);
          return;
        }
        const records = [{ type: 'A', data: '10.0.0.1' }] as const;
        const reply = replyFrom(prepare(bytes, query, { code: 0, records }), query.id, true, first);
        expect(reply.subarray(12, query.questionEnd)).toEqual(bytes.subarray(12, query.questionEnd));
        expect(answersQuestion(reply, { bytes, query })).toBe(true);
      }),
      { numRuns: 3000 },
    );
  });
});

describe('an answer', () => {
  const addresses = Array.from({ length: 60 }, (_, index) => ({ type: 'A' as const, data: `10.0.0.${index}` }));

  it('repeats the question byte for byte, with the records that the library reads', () => {
    const bytes = question('WeB', 'A', opt(4096));
    const reply = replyFrom(prepare(bytes, read(bytes), { code: 0, records: addresses.slice(0, 2) }), 99, true, first);
    const decoded = decode(reply);
    expect(decoded).toMatchObject({ id: 99, type: 'response', rcode: 'NOERROR' });
    expect(decoded.questions).toEqual([{ name: 'WeB', type: 'A', class: 'IN' }]);
    expect(decoded.answers).toMatchObject([
      { name: 'WeB', type: 'A', ttl: 1, data: '10.0.0.0' },
      { name: 'WeB', type: 'A', ttl: 1, data: '10.0.0.1' },
    ]);
    expect(decoded.additionals).toMatchObject([{ type: 'OPT', udpPayloadSize: 1232 }]);
  });

  it('has whole records only where it is cut, and all over TCP', () => {
    for (const [bytes, kept] of [
      [question('web'), 30],
      [question('web', 'A', opt(100)), 30],
      [question('web', 'A', opt(1232)), 60],
    ] as const) {
      const prepared = prepare(bytes, read(bytes), { code: 0, records: addresses });
      const cut = decode(replyFrom(prepared, 1, true, first));
      expect(cut.answers).toHaveLength(kept);
      expect(cut.flag_tc).toBe(kept < 60);
      expect(decode(replyFrom(prepared, 1, false, first)).answers).toHaveLength(60);
    }
  });

  it('says that it is cut where no message has room for all', () => {
    const many = Array.from({ length: 70_000 }, (_, index) => ({
      type: 'A' as const,
      data: `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`,
    }));
    const bytes = question('web', 'A', opt(1232));
    const prepared = prepare(bytes, read(bytes), { code: 0, records: many });
    const reply = replyFrom(prepared, 1, false, first);
    expect(reply.length).toBeLessThanOrEqual(65_535);
    const decoded = decode(reply);
    expect(decoded.answers?.length).toBeGreaterThan(4_000);
    expect(decoded.flag_tc).toBe(true);
    expect(decode(replyFrom(prepared, 1, true, first)).flag_tc).toBe(true);
  });

  it('has each record once, in any order', () => {
    const bytes = question('web');
    const prepared = prepare(bytes, read(bytes), { code: 0, records: addresses.slice(0, 5) });
    fc.assert(
      fc.property(fc.array(fc.nat(1000), { minLength: 5, maxLength: 5 }), (numbers) => {
        const left = [...numbers];
        const reply = decode(replyFrom(prepared, 1, true, (below) => (left.pop() ?? 0) % below));
        const data = reply.answers?.map((record) => String((record as { data: unknown }).data)).sort();
        expect(data).toEqual(addresses.slice(0, 5).map((each) => each.data));
      }),
    );
  });
});

describe('an answer of a server', () => {
  const bytes = question('a.test');
  const query = read(bytes);
  const soa = {
    type: 'SOA',
    name: 'test',
    ttl: 600,
    data: { mname: 'm', rname: 'r', serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 60 },
  };
  const reply = (changes: object): Buffer =>
    encode({
      type: 'response',
      id: 7,
      flags: 0x180,
      questions: [{ type: 'A', name: 'a.test', ...IN }],
      ...changes,
    } as Packet);
  const a = (ttl: number, name = 'a.test') => ({ type: 'A', name, ttl, data: '192.0.2.1' });

  it('is kept for the shortest time in it, and for an hour at most', () => {
    expect(lifetimeOf(reply({ answers: [a(100), a(50)] }), query)?.seconds).toBe(50);
    expect(lifetimeOf(reply({ answers: [a(100_000)] }), query)?.seconds).toBe(3600);
    expect(lifetimeOf(reply({ answers: [a(0)] }), query)).toBeNull();
    expect(lifetimeOf(reply({ answers: [a(0x80000001)] }), query)).toBeNull();
  });

  it('that there is nothing is kept as its SOA record says, and not at all without one', () => {
    expect(lifetimeOf(reply({ flags: 0x183, authorities: [soa] }), query)?.seconds).toBe(60);
    expect(lifetimeOf(reply({ authorities: [soa] }), query)?.seconds).toBe(60);
    expect(lifetimeOf(reply({ flags: 0x183 }), query)).toBeNull();
    expect(lifetimeOf(reply({}), query)).toBeNull();
    const alias = { type: 'CNAME', name: 'a.test', ttl: 30, data: 'b.test' };
    expect(lifetimeOf(reply({ answers: [alias], authorities: [soa] }), query)?.seconds).toBe(30);
    expect(lifetimeOf(reply({ answers: [alias] }), query)).toBeNull();
  });

  it('is not kept when it is cut, a failure, or cannot be read to its end', () => {
    expect(lifetimeOf(reply({ flags: 0x380, answers: [a(100)] }), query)).toBeNull();
    expect(lifetimeOf(reply({ flags: 0x182, answers: [a(100)] }), query)).toBeNull();
    const whole = reply({ answers: [a(100)] });
    expect(lifetimeOf(whole.subarray(0, -1), query)).toBeNull();
    expect(lifetimeOf(Buffer.concat([whole, Buffer.from('x')]), query)).toBeNull();
  });

  it('answers the question that was asked, whatever its case', () => {
    const asked = { bytes, query };
    const other = encode({ type: 'response', id: 7, questions: [{ type: 'A', name: 'A.TEST', ...IN }] } as Packet);
    expect(answersQuestion(other, asked)).toBe(true);
    for (const wrong of [{ name: 'b.test' }, { type: 'AAAA' }, { class: 'CH' }]) {
      const questions = [{ type: 'A', name: 'a.test', class: 'IN', ...wrong }];
      expect(answersQuestion(encode({ type: 'response', id: 7, questions } as unknown as Packet), asked)).toBe(false);
    }
    expect(answersQuestion(bytes, asked)).toBe(false);
    expect(answersQuestion(Buffer.alloc(5), asked)).toBe(false);
  });

  it('from a fuzzer is judged, never a fault', () => {
    const seed = reply({ answers: [a(100), a(50)], authorities: [soa] });
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 8 }), fc.nat(80), (changes, cut) => {
        const changed = Buffer.from(seed.subarray(0, seed.length - cut));
        for (const [at, byte] of changes) changed[at % changed.length] = byte;
        if (!answersQuestion(changed, { bytes, query })) return;
        const lifetime = changed.readUInt16BE(4) === 1 ? lifetimeOf(changed, query) : null;
        for (const at of lifetime?.ttlsAt ?? []) expect(at + 4).toBeLessThanOrEqual(changed.length);
      }),
      { numRuns: 3000 },
    );
  });
});
