import { describe, expect, test } from 'vitest';
import { translatedUnits } from './translation.ts';

/** One unit `a.container`. */
const unit = (lines: string, others: Record<string, string> = {}) =>
  translatedUnits({ '/units/a.container': `[Container]\nImage=x\n${lines}\n`, ...others });

const a = (result: ReturnType<typeof unit>) => result.manifest.containers?.a ?? {};

describe('quotes', () => {
  test.each([
    ['Label=a.b="Two Words"', { labels: { 'a.b': 'Two Words' } }],
    ['Environment=B="c d" E=f', { env: { B: 'c d', E: 'f' } }],
    [`Environment='G=h i'J="k" "L=m \\"n\\""`, { env: { G: 'h iJ=k', L: 'm "n"' } }],
    ['Exec=sh -c "echo \'a b\'" c"d e"f', { command: ['sh', '-c', "echo 'a b'", 'cd ef'] }],
  ])('%s', (line, expected) => {
    const result = unit(line);
    expect(result.issues).toEqual([]);
    expect(a(result)).toMatchObject(expected);
  });

  test('an unquoted value with spaces is reported, and an open quote', () => {
    expect(unit('Label=rule=Host(x) && y').warnings).toContainEqual(
      expect.stringContaining('Label: "&&" has no "="; a value with spaces needs quotes'),
    );
    expect(unit("Exec=echo it's").warnings).toContainEqual(expect.stringContaining('a quote is left open'));
  });
});

test('Restart=unless-stopped is accepted, with a note that systemd rejects it', () => {
  const result = unit('[Service]\nRestart=unless-stopped');
  expect(result.issues).toEqual([]);
  expect(a(result).restart).toBe('unless-stopped');
  expect(result.warnings).toEqual([expect.stringContaining('systemd does not know it')]);
});

describe('secrets', () => {
  test('come from files beside the units, with a note', () => {
    const result = unit(
      'Secret=pw\nSecret=source=token,type=env,target=TOKEN\nSecret=key,type=mount,target=/etc/key,uid=1000,mode=0400',
    );
    expect(result.issues).toEqual([]);
    expect(a(result)).toMatchObject({
      env: { TOKEN: { fromFile: './secrets/token' } },
      volumes: [
        './secrets/pw:/run/secrets/pw:ro',
        { source: './secrets/key', target: '/etc/key', readOnly: true, secret: true },
      ],
    });
    expect(result.warnings.join('\n')).toContain('read from ./secrets/pw beside the unit');
    expect(result.warnings.join('\n')).toContain('uid, mode: the file keeps the owner and mode');
  });

  test.each(['../../etc/shadow', '..', 'a/b', ''])('of the name %j are refused', (name) => {
    expect(unit(`Secret=source=${name}`).issues).toEqual([expect.stringContaining('is not the name of a secret')]);
  });

  test('of another type are refused', () => {
    expect(unit('Secret=a,type=file').issues).toEqual([expect.stringContaining('"file" is not a type')]);
  });
});

test('the socket of another engine is reported, and SELinux labels once', () => {
  const { warnings } = unit('Volume=/run/podman/podman.sock:/s\nVolume=/a:/a:Z\nVolume=/b:/b:z');
  expect(warnings.filter((text) => text.includes('is the socket of Podman'))).toHaveLength(1);
  expect(warnings.filter((text) => text.includes('SELinux'))).toHaveLength(1);
});

test('health checks of Podman keep what zero means there', () => {
  expect(unit('HealthCmd=x\nHealthRetries=0').issues).toEqual([expect.stringContaining('HealthRetries is at least 1')]);
  const startup = unit('HealthCmd=x\nHealthStartupCmd=y\nHealthStartupRetries=0');
  expect(startup.issues).toEqual([]);
  expect(a(startup).health).toMatchObject({ startup: { retries: 1000 } });
});

test('an empty value resets earlier values, however many lines there are', () => {
  const many = Array.from({ length: 50_000 }, (_, index) => `Label=a${index}=1`).join('\n');
  const result = unit(`${many}\nLabel=\nLabel=b=2`);
  expect(a(result).labels).toEqual({ b: '2' });
});
