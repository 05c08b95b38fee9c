import { describe, expect, it } from 'vitest';
import { checkKey, collapse, type Statement } from '../../../src/images/trust/trust-graph.ts';

const statement = (changes: Partial<Statement>): Statement => ({
  grants: [],
  revocations: [],
  issuedAtMs: 0,
  expiresAtMs: 1000,
  ...changes,
});
const grant = (subject: string, permission: number, grantee: string) => ({ subject, permission, grantee });
const ask = (statements: readonly Statement[], key: string, name: string, permission = 3, nowMs = 500) =>
  checkKey(collapse(statements), { key, name, permission, nowMs });

describe('a key', () => {
  const granted = [statement({ grants: [grant('/library', 15, 'KEY')] })];

  it('is verified for its name and names below it only', () => {
    expect(ask(granted, 'KEY', '/library')).toBe('verified');
    expect(ask(granted, 'KEY', '/library/nginx')).toBe('verified');
    expect(ask(granted, 'KEY', '/library2')).toBe('not verified');
    expect(ask(granted, 'OTHER', '/library')).toBe('not verified');
  });

  it('needs every requested bit', () => {
    const reader = [statement({ grants: [grant('/library', 1, 'KEY')] })];
    expect(ask(reader, 'KEY', '/library', 1)).toBe('verified');
    expect(ask(reader, 'KEY', '/library', 3)).toBe('not verified');
  });

  it('inherits the rights of its names, also in a circle', () => {
    const chain = [
      statement({
        grants: [grant('/library', 15, '/team'), grant('/team', 15, '/people'), grant('/people', 15, 'KEY')],
      }),
      statement({ grants: [grant('/people', 15, '/team')] }),
    ];
    expect(ask(chain, 'KEY', '/library/nginx')).toBe('verified');
    expect(ask(chain, 'OTHER', '/library/nginx')).toBe('not verified');
  });

  it('loses rights that a later statement revokes, and gets those granted again later', () => {
    const revoked = statement({ issuedAtMs: 2, revocations: [{ subject: '/library', revocation: 2, grantee: 'KEY' }] });
    expect(ask([revoked, ...granted], 'KEY', '/library')).toBe('not verified');
    expect(ask([revoked, ...granted], 'KEY', '/library', 1)).toBe('verified');
    const again = statement({ issuedAtMs: 3, grants: [grant('/library', 15, 'KEY')] });
    expect(ask([again, revoked, ...granted], 'KEY', '/library')).toBe('verified');
  });

  it('expires with the first statement that ends, and is unknown without any', () => {
    expect(ask([...granted, statement({ expiresAtMs: 400 })], 'KEY', '/library')).toBe('expired');
    expect(ask([...granted, statement({ expiresAtMs: 400 })], 'OTHER', '/library')).toBe('not verified');
    expect(ask([], 'KEY', '/library')).toBe('no graph');
  });
});
