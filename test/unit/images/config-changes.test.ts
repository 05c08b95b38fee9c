import { describe, expect, it } from 'vitest';
import { changeConfig } from '../../../src/images/make/config-changes.ts';

describe('changes to an image configuration', () => {
  it.each([
    ['CMD ["/bin/app", "-v"]', { Cmd: ['/bin/app', '-v'] }],
    ['cmd echo $HOME', { Cmd: ['/bin/sh', '-c', 'echo $HOME'] }],
    ['ENTRYPOINT ["/init"]', { Entrypoint: ['/init'], Cmd: null }],
    ['ENV A=1 B="two words" C=back\\ slash', { Env: ['A=1', 'B=two words', 'C=back slash'] }],
    ['ENV OLD form of it', { Env: ['OLD=form of it'] }],
    ['EXPOSE 80 53/udp', { ExposedPorts: { '80/tcp': {}, '53/udp': {} } }],
    ["LABEL a=b 'c d'=e", { Labels: { a: 'b', 'c d': 'e' } }],
    ['VOLUME ["/data", "/log"]', { Volumes: { '/data': {}, '/log': {} } }],
    ['USER nobody:nogroup', { User: 'nobody:nogroup' }],
    ['WORKDIR /srv', { WorkingDir: '/srv' }],
    ['STOPSIGNAL SIGINT', { StopSignal: 'SIGINT' }],
  ])('%s', (instruction, changed) => {
    expect(changeConfig({}, [instruction])).toEqual(changed);
  });

  it('apply in order, extend existing values and keep unknown keys', () => {
    const before = { Env: ['PATH=/bin', 'A=0'], Labels: { a: 'b' }, Healthcheck: { Test: ['CMD', 'x'] }, Cmd: ['old'] };
    expect(changeConfig(before, ['ENV A=1', 'ENV B=2', 'LABEL c=d', 'ENTRYPOINT ["/e"]', 'CMD ["/c"]'])).toEqual({
      Env: ['PATH=/bin', 'A=1', 'B=2'],
      Labels: { a: 'b', c: 'd' },
      Healthcheck: { Test: ['CMD', 'x'] },
      Entrypoint: ['/e'],
      Cmd: ['/c'],
    });
    expect(before.Env).toEqual(['PATH=/bin', 'A=0']);
  });

  it.each(['RUN make', '', 'ENV', 'ENV justakey', 'LABEL =x a=b'])('%j is refused', (instruction) => {
    expect(() => changeConfig({}, [instruction])).toThrow(expect.objectContaining({ code: 'TSD_BAD_REQUEST' }));
  });
});
