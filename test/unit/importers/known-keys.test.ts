/**
 * No field is dropped silently: each key of the Compose schema and of Podman's documentation changes the translation, or
 * is reported.
 */
import { describe, expect, test } from 'vitest';
import { translated, translatedUnits } from './translation.ts';

type Result = ReturnType<typeof translated>;

/** Without places, which move when anything is added before them. */
const messages = (list: readonly string[]) => list.map((text) => text.replace(/^\S+:\d+:\d+: /, '')).sort();
const said = ({ manifest, issues, warnings }: Result) =>
  JSON.stringify([manifest, messages(issues), messages(warnings)]);
const heard = (before: Result, after: Result) => said(before) !== said(after);

/** A value for each key; those that need no particular one are named in one text. */
const keys = (values: Record<string, unknown>, plain: string, value: unknown = 'x') => [
  ...Object.entries(values),
  ...plain.split(' ').map((key): [string, unknown] => [key, value]),
];

const FILES = { '/app/x.env': 'A=1\n', '/app/x.yaml': 'services: { base: { image: base, user: "5" } }\n' };

/** A project as data, with one value put in at a path. */
function project(path: readonly string[], value: unknown): Result {
  const used = { networks: { networks: ['front'] }, secrets: { secrets: ['pw'] }, configs: { configs: ['conf'] } };
  const section = path[0] as keyof typeof used;
  const root: Record<string, unknown> = {
    services: { web: { image: 'x', ...used[section] }, db: { image: 'y' } },
    networks: { front: {} },
    volumes: { data: {} },
    secrets: { pw: { file: './pw' } },
    configs: { conf: { file: './conf' } },
  };
  let at = root;
  for (const name of path.slice(0, -1)) {
    const next = (at[name] ?? {}) as Record<string, unknown>;
    at[name] = next;
    at = next;
  }
  if (path.length > 0) at[path.at(-1) ?? ''] = value;
  return translated('/app/shop.yaml', { ...FILES, '/app/shop.yaml': JSON.stringify(root) });
}

/** Fields below a path, beside what makes the place valid. */
function everyKey(
  path: readonly string[],
  list: readonly (readonly [string, unknown])[],
  beside: Record<string, unknown> = {},
) {
  test.each(list)(`${path.join('.')}: %s`, (key, value) => {
    const before = path.length === 0 ? project([], null) : project(path, beside);
    const after = path.length === 0 ? project([key], value) : project(path, { ...beside, [key]: value });
    expect(heard(before, after)).toBe(true);
  });
}

describe('Compose', () => {
  everyKey([], keys({ name: 'other', version: '3', include: ['x.yaml'] }, 'models', { m: { model: 'x' } }));
  everyKey(
    ['services', 'web'],
    keys(
      {
        annotations: { a: 'b' },
        attach: false,
        blkio_config: { weight: 10 },
        build: '.',
        cap_add: ['NET_ADMIN'],
        cap_drop: ['ALL'],
        command: ['x'],
        configs: ['conf'],
        credential_spec: { file: 'x' },
        depends_on: ['db'],
        deploy: { replicas: 2 },
        develop: { watch: [] },
        device_cgroup_rules: ['a *:* rwm'],
        devices: ['/dev/null'],
        dns: ['1.1.1.1'],
        dns_opt: ['ndots:1'],
        dns_search: ['a.b'],
        entrypoint: ['x'],
        env_file: ['x.env'],
        environment: { A: 'b' },
        expose: ['80'],
        extends: { file: 'x.yaml', service: 'base' },
        external_links: ['x'],
        extra_hosts: ['a:1.1.1.1'],
        group_add: ['1'],
        healthcheck: { test: 'x' },
        init: true,
        labels: { a: 'b' },
        label_file: ['x'],
        links: ['db'],
        logging: { options: { 'max-size': '10m' } },
        models: ['m'],
        network_mode: 'none',
        networks: ['front'],
        oom_kill_disable: true,
        ports: ['80'],
        post_start: [{ command: 'x' }],
        pre_stop: [{ command: 'x' }],
        privileged: true,
        profiles: ['p'],
        provider: { type: 'x' },
        pull_policy: 'always',
        read_only: true,
        restart: 'always',
        secrets: ['pw'],
        security_opt: ['no-new-privileges:true'],
        stdin_open: true,
        storage_opt: { size: '1G' },
        sysctls: { a: '1' },
        tmpfs: '/x',
        tty: true,
        ulimits: { nofile: 10 },
        use_api_socket: true,
        volumes: ['data:/data'],
        volumes_from: ['db'],
      },
      'cgroup cgroup_parent container_name cpuset domainname gpus hostname image ipc isolation mac_address ' +
        'mem_limit mem_reservation pid platform pull_refresh_after runtime stop_grace_period stop_signal user userns_mode ' +
        'uts working_dir shm_size memswap_limit ' +
        'cpu_count cpu_percent cpu_period cpu_quota cpu_rt_period cpu_rt_runtime cpu_shares cpus mem_swappiness ' +
        'oom_score_adj pids_limit scale',
      '2',
    ),
    { image: 'x' },
  );
  everyKey(
    ['services', 'web', 'build'],
    keys(
      {
        additional_contexts: { a: './b' },
        args: { A: 'b' },
        cache_from: ['x'],
        cache_to: ['x'],
        dockerfile_inline: 'FROM x',
        entitlements: ['x'],
        extra_hosts: ['a:1.1.1.1'],
        labels: { a: 'b' },
        network: 'host',
        no_cache: true,
        platforms: ['linux/arm64'],
        privileged: true,
        pull: true,
        secrets: ['pw'],
        ssh: ['default'],
        tags: ['x'],
        ulimits: { nofile: 10 },
      },
      'context dockerfile target shm_size isolation provenance sbom',
    ),
  );
  everyKey(
    ['services', 'web', 'deploy'],
    keys(
      {
        labels: { a: 'b' },
        placement: { constraints: [] },
        replicas: 2,
        resources: { limits: { memory: '1G' } },
        restart_policy: { condition: 'any' },
        rollback_config: { order: 'stop-first' },
        update_config: { order: 'start-first' },
      },
      'mode endpoint_mode',
    ),
  );
  everyKey(
    ['services', 'web', 'deploy', 'resources'],
    [
      ['limits', { cpus: '1' }],
      ['reservations', { memory: '1G' }],
    ],
  );
  everyKey(['services', 'web', 'deploy', 'resources', 'limits'], keys({}, 'cpus memory pids', '1'));
  everyKey(
    ['services', 'web', 'deploy', 'restart_policy'],
    keys({ condition: 'none', max_attempts: 3 }, 'delay window', '5s'),
  );
  everyKey(
    ['services', 'web', 'deploy', 'update_config'],
    keys({ order: 'start-first', failure_action: 'pause' }, 'parallelism delay monitor max_failure_ratio', '1'),
  );
  everyKey(
    ['services', 'web', 'healthcheck'],
    keys({ test: 'y', disable: true, retries: 9 }, 'interval timeout start_period start_interval', '77s'),
    { test: 'x' },
  );
  everyKey(
    ['services', 'web', 'logging'],
    [
      ['driver', 'journald'],
      ['options', { 'max-size': '10m' }],
    ],
  );
  everyKey(
    ['services', 'web', 'networks', 'front'],
    keys(
      { aliases: ['x'], link_local_ips: ['1'], driver_opts: { a: 'b' } },
      'ipv4_address ipv6_address mac_address priority gw_priority interface_name',
    ).filter(([key]) => key !== 'aliases'),
  );
  everyKey(
    ['services', 'web', 'depends_on', 'db'],
    [
      ['condition', 'service_completed_successfully'],
      ['restart', true],
      ['required', false],
    ],
  );
  everyKey(
    ['networks', 'front'],
    keys(
      {
        attachable: true,
        driver: 'overlay',
        driver_opts: { a: 'b' },
        enable_ipv4: false,
        enable_ipv6: true,
        external: true,
        internal: true,
        ipam: { config: [{ subnet: '10.0.0.0/24' }] },
        labels: { a: 'b' },
      },
      'name',
    ),
  );
  everyKey(
    ['networks', 'front', 'ipam'],
    [
      ['driver', 'x'],
      ['options', { a: 'b' }],
      ['config', [{ subnet: '10.0.0.0/24', ip_range: 'x', gateway: '10.0.0.9', aux_addresses: {} }]],
    ],
  );
  everyKey(
    ['volumes', 'data'],
    keys({ driver: 'nfs', driver_opts: { a: 'b' }, external: true, labels: { a: 'b' } }, 'name'),
  );
  const declared = { driver: 'x', driver_opts: { a: 'b' }, external: true, labels: { a: 'b' } };
  everyKey(['secrets', 'pw'], keys({ ...declared, environment: 'V' }, 'name template_driver'), { file: './pw' });
  everyKey(['configs', 'conf'], keys({ ...declared, environment: 'V', content: 'y' }, 'name template_driver'), {
    file: './c',
  });

  const item = (field: string, beside: Record<string, unknown>, list: readonly (readonly [string, unknown])[]) =>
    test.each(list)(`an item of ${field}: %s`, (key, value) => {
      const path = ['services', 'web', field];
      expect(heard(project(path, [beside]), project(path, [{ ...beside, [key]: value }]))).toBe(true);
    });
  item(
    'ports',
    { target: 80 },
    keys({ published: 81, protocol: 'udp', host_ip: '127.0.0.1', mode: 'x' }, 'name app_protocol y'),
  );
  item(
    'volumes',
    { type: 'bind', source: './x', target: '/x' },
    keys(
      {
        type: 'volume',
        read_only: true,
        bind: { propagation: 'rslave' },
        image: { subpath: 'x' },
        tmpfs: { mode: 1 },
        volume: { subpath: 'x' },
      },
      'source target consistency',
      '/other',
    ),
  );
  item('volumes', { type: 'bind', source: './x', target: '/x', bind: {} }, [
    ['bind', { create_host_path: false }],
    ['bind', { recursive: 'disabled' }],
    ['bind', { selinux: 'z' }],
  ]);
  item('secrets', { source: 'pw' }, keys({ source: 'no', target: '/x', mode: 1 }, 'uid gid'));
  item('env_file', { path: 'x.env' }, keys({ path: 'y.env' }, 'y'));
});

describe('Quadlet', () => {
  const TEXT: Readonly<Record<string, string>> = {
    AddCapability: 'NET_ADMIN',
    AddDevice: '/dev/null',
    AddHost: 'a:1.1.1.1',
    CgroupsMode: 'split',
    DNS: '1.1.1.1',
    Environment: 'A=b',
    ExposeHostPort: '80',
    HealthCmd: 'other',
    HealthInterval: '77s',
    HealthOnFailure: 'kill',
    HealthRetries: '9',
    HealthStartPeriod: '77s',
    HealthTimeout: '77s',
    IP: '10.0.0.1',
    Image: 'other',
    Label: 'a=b',
    LogDriver: 'journald',
    LogOpt: 'max-size=10m',
    Memory: '1G',
    Mount: 'type=tmpfs,destination=/x',
    Network: 'none',
    PidsLimit: '9',
    PublishPort: '80',
    Pull: 'always',
    StopTimeout: '9',
    Tmpfs: '/x',
    Ulimit: 'nofile=9',
    Volume: '/a:/b',
    Options: 'mtu=1400',
    Subnet: '10.0.0.0/24',
    Gateway: '10.0.0.1',
    Driver: 'other',
    Policy: 'always',
    Arch: 'arm64',
    File: '/x/Other',
    ImageTag: 'other',
    Secret: 'id=a,src=b',
  };
  const FLAGS = new Set(
    (
      'EnvironmentHost HttpProxy NoNewPrivileges ReadOnly ReadOnlyTmpfs RunInit SecurityLabelDisable SecurityLabelNested ' +
      'VolatileTmp Internal IPv6 DisableDNS Copy NetworkDeleteOnStop ForceRM TLSVerify AllTags KubeDownForce'
    ).split(' '),
  );
  const sample = (key: string) => TEXT[key] ?? (FLAGS.has(key) ? 'yes' : 'x');
  const BASE: Readonly<Record<string, string>> = {
    container: '[Container]\nImage=x\n',
    volume: '[Volume]\n',
    network: '[Network]\n',
    image: '[Image]\nImage=x\n',
    build: '[Build]\nImageTag=x\nSetWorkingDirectory=/x\n',
    pod: '[Pod]\n',
    kube: '[Kube]\nYaml=/units/play.yaml\n',
  };
  const OTHERS = {
    '/units/user.container': '[Container]\nImage=a.image\nNetwork=none\n',
    '/units/on.container': '[Container]\nImage=z\nNetwork=a.network\n',
    '/units/member.container': '[Container]\nImage=y\nPod=a.pod\n',
    '/units/play.yaml':
      'apiVersion: v1\nkind: Pod\nmetadata: { name: p }\nspec: { containers: [ { name: c, image: z } ] }\n',
  };
  const USERS: Readonly<Record<string, string>> = {
    image: '/units/user.container',
    pod: '/units/member.container',
    network: '/units/on.container',
    kube: '/units/play.yaml',
  };
  const of = (type: string, lines: string) => {
    const others = Object.entries(OTHERS).filter(([path]) => USERS[type] === path);
    return translatedUnits({ ...Object.fromEntries(others), [`/units/a.${type}`]: `${BASE[type]}${lines}\n` });
  };
  const every = (type: string, names: string, beside = '') =>
    test.each(names.split(' '))(`.${type}: %s`, (key) => {
      expect(heard(of(type, beside), of(type, `${beside}\n${key}=${sample(key)}`))).toBe(true);
    });

  every(
    'container',
    'AddCapability AddDevice AddHost Annotation AppArmor AutoUpdate CgroupsMode ContainerName ContainersConfModule DNS ' +
      'DNSOption DNSSearch DropCapability Entrypoint Environment EnvironmentFile EnvironmentHost Exec ExposeHostPort GIDMap ' +
      'GlobalArgs Group GroupAdd HealthCmd HealthInterval HealthLogDestination HealthMaxLogCount HealthMaxLogSize ' +
      'HealthOnFailure HealthRetries HealthStartPeriod HealthStartupCmd HealthStartupInterval HealthStartupRetries ' +
      'HealthStartupSuccess HealthStartupTimeout HealthTimeout HostName HttpProxy IP IP6 Image Label LogDriver LogOpt Mask ' +
      'Memory Mount Network NetworkAlias NoNewPrivileges Notify PidsLimit Pod PodmanArgs PublishPort Pull ReadOnly ' +
      'ReadOnlyTmpfs ReloadCmd ReloadSignal RemapGid RemapUid RemapUidSize RemapUsers Retry RetryDelay Rootfs RunInit ' +
      'SeccompProfile Secret SecurityLabelDisable SecurityLabelFileType SecurityLabelLevel SecurityLabelNested ' +
      'SecurityLabelType ServiceName ShmSize StartWithPod StopSignal StopTimeout SubGIDMap SubUIDMap Sysctl Timezone Tmpfs ' +
      'UIDMap Ulimit Unmask User UserNS VolatileTmp Volume WorkingDir',
  );
  every('container', 'HealthInterval HealthRetries HealthTimeout HealthStartPeriod HealthOnFailure', 'HealthCmd=x');
  every(
    'volume',
    'ContainersConfModule Copy Device Driver GlobalArgs Group Image Label Options PodmanArgs ServiceName Type User VolumeName',
  );
  every(
    'network',
    'ContainersConfModule DisableDNS DNS Driver Gateway GlobalArgs InterfaceName Internal IPAMDriver IPRange IPv6 Label ' +
      'NetworkDeleteOnStop NetworkName Options PodmanArgs ServiceName Subnet',
  );
  every(
    'kube',
    'AutoUpdate ConfigMap ContainersConfModule ExitCodePropagation GlobalArgs KubeDownForce LogDriver LogOpt Network ' +
      'PodmanArgs PublishPort RemapGid RemapUid RemapUidSize RemapUsers ServiceName SetWorkingDirectory UserNS Yaml',
  );
  every(
    'image',
    'AllTags Arch AuthFile CertDir ContainersConfModule Creds DecryptionKey GlobalArgs Image ImageTag OS PodmanArgs Policy ' +
      'Retry RetryDelay ServiceName TLSVerify Variant',
  );
  every(
    'build',
    'Annotation Arch AuthFile BuildArg ContainersConfModule DNS DNSOption DNSSearch Environment File ForceRM GlobalArgs ' +
      'GroupAdd IgnoreFile Label Network PodmanArgs Pull Retry RetryDelay Secret ServiceName SetWorkingDirectory ' +
      'Target TLSVerify Variant Volume',
  );
  every(
    'pod',
    'AddHost ContainersConfModule DNS DNSOption DNSSearch ExitPolicy GIDMap GlobalArgs HostName IP IP6 Label Network ' +
      'NetworkAlias PodmanArgs PodName PublishPort RemapGid RemapUid RemapUidSize RemapUsers ServiceName ShmSize StopTimeout ' +
      'SubGIDMap SubUIDMap UIDMap UserNS Volume',
  );
});

describe('Kubernetes', () => {
  const POD = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' } };
  const container = { name: 'c', image: 'x', volumeMounts: [{ name: 'd', mountPath: '/d' }] };
  const spec = { containers: [container], volumes: [{ name: 'd', emptyDir: {} }] };
  const pod = (value: unknown) => translated('/app/pod.yaml', { '/app/pod.yaml': JSON.stringify(value) });
  const before = pod({ ...POD, spec });
  const every = (
    where: string,
    list: readonly (readonly [string, unknown])[],
    put: (key: string, value: unknown) => unknown,
  ) => test.each(list)(`${where}: %s`, (key, value) => expect(heard(before, pod(put(key, value)))).toBe(true));

  every(
    'metadata',
    keys({ annotations: { a: 'b' }, labels: { a: 'b' }, ownerReferences: [{}], finalizers: ['x'] }, 'generateName y'),
    (key, value) => ({ ...POD, metadata: { name: 'p', [key]: value }, spec }),
  );
  every(
    'spec',
    keys(
      {
        affinity: {},
        automountServiceAccountToken: false,
        dnsConfig: { nameservers: ['1.1.1.1'] },
        enableServiceLinks: false,
        ephemeralContainers: [],
        hostAliases: [{ ip: '1.1.1.1', hostnames: ['a'] }],
        hostIPC: true,
        hostNetwork: true,
        hostPID: true,
        hostUsers: false,
        imagePullSecrets: [{ name: 'x' }],
        initContainers: [{ name: 'i', image: 'x' }],
        nodeSelector: {},
        os: { name: 'linux' },
        overhead: {},
        readinessGates: [],
        resourceClaims: [],
        resources: {},
        restartPolicy: 'Never',
        schedulingGates: [],
        securityContext: { runAsUser: 5 },
        setHostnameAsFQDN: true,
        shareProcessNamespace: true,
        tolerations: [],
        topologySpreadConstraints: [],
      },
      'activeDeadlineSeconds dnsPolicy hostname nodeName preemptionPolicy priority priorityClassName runtimeClassName ' +
        'schedulerName serviceAccount serviceAccountName subdomain terminationGracePeriodSeconds y',
      '7',
    ),
    (key, value) => ({ ...POD, spec: { ...spec, [key]: value } }),
  );
  every(
    'container',
    keys(
      {
        args: ['x'],
        command: ['x'],
        env: [{ name: 'A', value: 'b' }],
        envFrom: [{ configMapRef: { name: 'gone' } }],
        image: 'other',
        imagePullPolicy: 'Always',
        lifecycle: {},
        livenessProbe: { tcpSocket: { port: 1 } },
        name: 'other',
        ports: [{ containerPort: 1 }],
        readinessProbe: { tcpSocket: { port: 1 } },
        resizePolicy: [],
        resources: { limits: { memory: '1Gi' } },
        securityContext: { privileged: true },
        startupProbe: { tcpSocket: { port: 1 } },
        stdin: true,
        stdinOnce: true,
        tty: true,
        volumeDevices: [],
        volumeMounts: [],
      },
      'restartPolicy terminationMessagePath terminationMessagePolicy workingDir y',
      '/x',
    ).filter(([key]) => key !== 'name'),
    (key, value) => ({ ...POD, spec: { ...spec, containers: [{ ...container, [key]: value }] } }),
  );
  every(
    'volumeMounts',
    keys({ readOnly: true, subPath: 'x' }, 'mountPropagation recursiveReadOnly subPathExpr y'),
    (key, value) => {
      const volumeMounts = [{ name: 'd', mountPath: '/d', [key]: value }];
      return { ...POD, spec: { ...spec, containers: [{ ...container, volumeMounts }] } };
    },
  );
});
