import { describe, expect, it } from 'vitest';
import { changedConfig, type RawConfig } from '../../../src/images/build/config.ts';
import { readMounts } from '../../../src/images/build/mounts.ts';
import { StageScope, unusedArgs } from '../../../src/images/build/scope.ts';
import { Expander } from '../../../src/model/dockerfile/expand.ts';
import { readInstruction } from '../../../src/model/dockerfile/instruction.ts';
import { findStage, readDockerfile, targetStage } from '../../../src/model/dockerfile/stages.ts';
import { parseOne, parseSyntax } from '../../../src/model/dockerfile/syntax.ts';
import { platformArgs } from '../../../src/model/platform.ts';

const place = { file: 'Dockerfile', line: 1, source: '' };
const PLATFORM = platformArgs('linux/arm64/v8', 'linux/amd64');
const read = (text: string, args: Record<string, string> = {}) => readDockerfile(text, 'Dockerfile', args, PLATFORM);
const instruction = (text: string) => readInstruction(parseOne(text, place));
const rests = (text: string) => parseSyntax(text, 'Dockerfile').instructions.map(({ script }) => script);

describe('the text of instructions', () => {
  it.each([
    ['continued lines are one', 'RUN a \\\n  b \\\n  c', ['a   b   c']],
    ['comments and empty lines between them are nothing', 'RUN a \\\n  # why\n\n#x\n  b', ['a   b']],
    ['white space after the escape is nothing', 'RUN a \\ \t\n b\nRUN c', ['a  b', 'c']],
    ['another escape character', '# escape=`\nRUN dir c:\\\nRUN a `\n b', ['dir c:\\', 'a  b']],
    ['lines of Windows', 'RUN a \\\r\n b\r\nRUN c\r\n', ['a  b', 'c']],
    ['a comment is no instruction, a # inside of one no comment', '# a\nRUN echo # b\n  # c\nRUN d', ['echo # b', 'd']],
    ['a here-document', 'RUN <<E\nFROM x\n# no comment\nE\nRUN b', ['<<E\nFROM x\n# no comment\nE', 'b']],
    ['two of them', 'RUN <<A cat; <<-B cat\n1\nA\n\t2\n\tB\nRUN z', ['<<A cat; <<-B cat\n1\nA\n\t2\n\tB', 'z']],
    ['none in quotes or arithmetic', 'RUN echo "<<E" $((1<<2))\nRUN b', ['echo "<<E" $((1<<2))', 'b']],
    ['none for other instructions', 'ENV A=<<E\nRUN b', ['A=<<E', 'b']],
    ['a byte order mark', '\ufeffRUN a', ['a']],
    ['the last line may be continued', 'RUN a \\\n', ['a']],
  ])('%s', (_what, text, expected) => {
    expect(rests(text)).toEqual(expected);
  });

  it('contents of here-documents, expanded or not, without tabs for <<-', () => {
    const [copy] = parseSyntax('COPY <<A <<-"B" /x/\n $V\nA\n\t\ttab\n\tB\n', 'Dockerfile').instructions;
    expect(copy?.heredocs).toEqual([
      { name: 'A', content: ' $V\n', expand: true, stripped: false },
      { name: 'B', content: 'tab\n', expand: false, stripped: true },
    ]);
  });

  it('flags, exec form and positions', () => {
    const [, run] = parseSyntax(
      'FROM a\n\nRUN --network=none --mount=type=tmpfs,target="/a b" \\\n ["x", "y z"]\n',
      'D',
    ).instructions;
    if (run === undefined) throw new Error('no instruction');
    const { flags, json, place: at } = readInstruction(run);
    expect([...flags]).toEqual([
      ['network', ['none']],
      ['mount', ['type=tmpfs,target="/a b"']],
    ]);
    expect(json).toEqual(['x', 'y z']);
    expect(at.line).toBe(3);
  });
});

describe('a Dockerfile that cannot be built', () => {
  it.each([
    ['', 'has no instructions'],
    ['# only a comment', 'has no instructions'],
    ['FROM a\nFORM b', 'FORM is no instruction'],
    ['RUN a', 'is before the first FROM'],
    ['ARG a', 'there is no FROM'],
    ['FROM', 'FROM needs an argument'],
    ['FROM a b', 'is written FROM image'],
    ['FROM a AS', 'is written FROM image'],
    ['FROM a AS 1x', 'cannot be the name'],
    ['FROM a AS scratch', 'cannot be the name'],
    ['FROM a AS x\nFROM b AS X', 'already a stage'],
    ['FROM $NOTHING', 'a variable in it is empty'],
    ['FROM "a', 'a double quote is not closed'],
    ['FROM a\nCOPY x', 'at least one source'],
    ['FROM a\nCOPY --form=b x y', 'COPY has no flag --form'],
    ['FROM a\nCOPY --from x y', '--from needs a value'],
    ['FROM a\nCOPY --from=b --from=c x y', 'given twice'],
    ['FROM a\nCOPY --from=b <<E /x\na\nE', 'no --from'],
    ['FROM a\nSHELL sh', 'JSON array'],
    ['FROM a\nRUN []', 'needs a command'],
    ['FROM a\nRUN <<E\nnever ends', 'is not ended'],
    ['FROM a\nHEALTHCHECK ALWAYS', 'HEALTHCHECK is NONE or CMD'],
    ['FROM a\nONBUILD ONBUILD RUN a', 'cannot be an ONBUILD trigger'],
    ['FROM a\nONBUILD FROM b', 'cannot be an ONBUILD trigger'],
    ['FROM a\nONBUILD NONSENSE', 'is no instruction'],
  ])('%j', (text, problem) => {
    expect(() => read(text)).toThrow(
      expect.objectContaining({ code: 'TSD_DOCKERFILE', message: expect.stringContaining(problem) }),
    );
  });

  it('the message shows the lines, and the position is that of the instruction', () => {
    expect(() => read('FROM a\n\nRNU x \\\n  y\n')).toThrow(
      expect.objectContaining({
        source: { file: 'Dockerfile', line: 3, column: 1 },
        message: 'RNU is no instruction\n    3 | RNU x \\\n    4 |   y',
        hint: 'Did you mean RUN?',
      }),
    );
  });
});

describe('stages and arguments', () => {
  const FILE = `ARG BASE=debian
ARG TAG=\${BASE}-12
FROM --platform=$BUILDPLATFORM $BASE:\${TAG:-x} AS Builder
ARG TAG
ARG OWN=\${TAG}!
ARG TARGETARCH
FROM scratch
COPY --from=builder a b
`;

  it('FROM uses global arguments, a stage those it declares', () => {
    const dockerfile = read(FILE, { BASE: 'alpine' });
    const [builder, last] = dockerfile.stages;
    expect(builder).toMatchObject({ name: 'builder', base: 'alpine:alpine-12', platform: 'linux/amd64' });
    expect(last).toMatchObject({ name: null, base: 'scratch' });
    const scope = new StageScope(dockerfile, { BASE: 'alpine', HTTP_PROXY: 'p' }, PLATFORM);
    for (const arg of builder?.instructions ?? []) scope.declare(arg, {});
    expect(scope.visible({})).toEqual([
      ['OWN', 'alpine-12!'],
      ['TAG', 'alpine-12'],
      ['TARGETARCH', 'arm64'],
    ]);
    expect(scope.visible({ Env: ['TAG=env'] })).toEqual([
      ['OWN', 'alpine-12!'],
      ['TARGETARCH', 'arm64'],
    ]);
    expect(scope.environment({ Env: ['TAG=env'] })).toEqual([
      'HTTP_PROXY=p',
      'OWN=alpine-12!',
      'TARGETARCH=arm64',
      'TAG=env',
    ]);
  });

  it('stages are found by name and number, also as target', () => {
    const dockerfile = read('FROM a AS one\nFROM b\nFROM c AS three');
    expect(findStage(dockerfile, 'ONE', 2)?.index).toBe(0);
    expect(findStage(dockerfile, '1', 2)?.index).toBe(1);
    expect(findStage(dockerfile, 'three', 2)).toBeUndefined();
    expect(targetStage(dockerfile, null).index).toBe(2);
    expect(targetStage(dockerfile, 'one').index).toBe(0);
    expect(() => targetStage(dockerfile, 'four')).toThrow('there are one, 1, three');
  });

  it('undeclared arguments are reported', () => {
    expect(unusedArgs(read(FILE), { BASE: 'x', OWN: 'x', OTHER: 'x', no_proxy: 'x' })).toEqual(['OTHER']);
  });
});

describe('the configuration', () => {
  const change = (before: RawConfig, ...lines: string[]): RawConfig => {
    const expander = new Expander('\\', (name) => ({ V: 'v', P: '/p' })[name]);
    return lines.reduce((state, line) => changedConfig(state, instruction(line), expander) ?? state, {
      config: before,
      author: '',
      ownCommand: false,
    }).config;
  };

  it.each<[string, string[], RawConfig]>([
    ['shell form', ['CMD echo $V'], { Cmd: ['/bin/sh', '-c', 'echo $V'] }],
    ['another shell', ['SHELL ["/b", "-x"]', 'CMD a'], { Shell: ['/b', '-x'], Cmd: ['/b', '-x', 'a'] }],
    ['an entrypoint ends an inherited command', ['ENTRYPOINT ["e"]'], { Entrypoint: ['e'], Cmd: null }],
    ['and leaves one of its own stage', ['CMD ["c"]', 'ENTRYPOINT ["e"]'], { Cmd: ['c'], Entrypoint: ['e'] }],
    ['expanded variables', ['ENV A=$V B="$V $A"'], { Env: ['A=v', 'B=v '] }],
    [
      'ports',
      ['EXPOSE 80 53/udp 8000-8001/TCP'],
      { ExposedPorts: { '80/tcp': {}, '53/udp': {}, '8000/tcp': {}, '8001/tcp': {} } },
    ],
    ['relative directories', ['WORKDIR /a', 'WORKDIR b/../c', 'WORKDIR $P'], { WorkingDir: '/p' }],
    ['relative to what was there', ['WORKDIR /a', 'WORKDIR b'], { WorkingDir: '/a/b' }],
    ['signals', ['STOPSIGNAL 9'], { StopSignal: 'SIGKILL' }],
    ['no health check', ['HEALTHCHECK NONE'], { Healthcheck: { Test: ['NONE'] } }],
    [
      'a health check',
      ['HEALTHCHECK --interval=1m --timeout=500ms --retries=3 CMD wget -q x'],
      { Healthcheck: { Test: ['CMD-SHELL', 'wget -q x'], Interval: 60e9, Timeout: 500e6, Retries: 3 } },
    ],
    ['in exec form', ['HEALTHCHECK CMD ["a", "b"]'], { Healthcheck: { Test: ['CMD', 'a', 'b'] } }],
    ['triggers in order', ['ONBUILD RUN a', 'ONBUILD COPY b c'], { OnBuild: ['RUN a', 'COPY b c'] }],
    ['volumes', ['VOLUME /a "/b c"', 'VOLUME ["/d"]'], { Volumes: { '/a': {}, '/b c': {}, '/d': {} } }],
  ])('%s', (_what, lines, expected) => {
    expect(change({}, ...lines)).toEqual(expected);
  });

  it.each([
    'EXPOSE 0',
    'EXPOSE 70000',
    'EXPOSE x',
    'EXPOSE 9-8',
    'STOPSIGNAL NO',
    'ENV A',
    'HEALTHCHECK --interval=x CMD a',
  ])('%s is refused', (line) => {
    expect(() => change({}, line)).toThrow(expect.objectContaining({ code: 'TSD_DOCKERFILE' }));
  });
});

describe('a mount of RUN', () => {
  const mounts = (text: string) => readMounts(instruction(`RUN ${text} x`), new Expander('\\', () => 'v'), '/work');

  it('is accepted in each form', () => {
    expect(
      mounts(
        '--mount=type=cache,target=c,sharing=locked,id=$I --mount=target=/b,from=one,source=s,rw ' +
          '--mount=type=tmpfs,dst=/t,size=1m --mount=type=secret,id=key,env=KEY --mount=type=secret,id=f,uid=7',
      ),
    ).toEqual([
      { type: 'cache', target: '/work/c', id: 'v', readOnly: false, locked: true, mode: 0o755, uid: 0, gid: 0 },
      { type: 'bind', target: '/b', source: 's', from: 'one', readOnly: false },
      { type: 'tmpfs', target: '/t', sizeBytes: 1024 ** 2 },
      { type: 'secret', id: 'key', target: null, env: 'KEY', required: false, mode: 0o400, uid: 0, gid: 0 },
      { type: 'secret', id: 'f', target: '/run/secrets/f', env: null, required: false, mode: 0o400, uid: 7, gid: 0 },
    ]);
  });

  it.each([
    ['--mount=type=ssh', 'ssh are not supported'],
    ['--mount=type=npipe', 'no type of mount'],
    ['--mount=type=cache', 'a target is needed'],
    ['--mount=type=tmpfs,target=/a,mode=1', 'no option mode'],
    ['--mount=type=cache,target=/a,sharing=private', 'sharing=private is not supported'],
    ['--mount=type=cache,target=/a,mode=9', 'is no number'],
  ])('%s is refused', (text, problem) => {
    expect(() => mounts(text)).toThrow(problem);
  });
});
