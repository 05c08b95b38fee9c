/** Several Compose files on a command line. */
import { describe, expect, test } from 'vitest';
import { useTerminal } from '../../support/api/terminal.ts';

const { run, manifest } = useTerminal();

const service = (name: string, image: string, top = '') => `${top}services: { ${name}: { image: ${image} } }\n`;

describe('Compose files that several -f name', () => {
  test('form one app, with a note', async () => {
    const paths = [
      manifest('compose.yaml', service('web', 'nginx:1', 'name: shop\n')),
      manifest('prod.yaml', 'services: { web: { command: [ run ] }, db: { image: postgres } }\n'),
    ];
    const { stdout, stderr, exitCode } = await run(['convert', ...paths.flatMap((path) => ['-f', path])]);
    expect(exitCode).toBe(0);
    expect(stderr).toContain('compose.yaml, prod.yaml are merged into one app, as with docker compose -f');
    expect(stdout).toMatch(
      /app: shop[\s\S]*web:\n {4}image: docker.io\/library\/nginx:1\n {4}command:\n {6}- run[\s\S]*db:/,
    );
  });

  test('with their own names are separate apps, like other manifests', async () => {
    const paths = [
      manifest('a.yaml', service('web', 'nginx', 'name: a\n')),
      manifest('b.yaml', service('web', 'nginx', 'name: b\n')),
      manifest('own.yaml', 'containers: { job: { image: x } }\n'),
    ];
    const { stdout, stderr, exitCode } = await run(['validate', ...paths.flatMap((path) => ['-f', path])]);
    expect([exitCode, stdout.trim()]).toEqual([0, '3 manifests: valid']);
    expect(stderr).not.toContain('merged');
  });

  test('with mistakes are shown with the line of their own file', async () => {
    const paths = [
      manifest('a.yaml', service('web', 'nginx')),
      manifest('b.yaml', 'services: { web: { ports: x } }\n'),
    ];
    const { stderr, exitCode } = await run(['validate', ...paths.flatMap((path) => ['-f', path])]);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/b\.yaml:1:\d+: expected a list, found text\n {2}1 \| services/);
  });
});
