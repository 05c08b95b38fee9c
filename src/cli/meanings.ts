/** What people mean who type a command of another program, or one of ours that is not there. */

/** What to type instead; by the words as they stand, two before one. */
const MEANINGS: Readonly<Record<string, string>> = {
  ls: 'get',
  list: 'get',
  status: 'get',
  watch: 'get containers -w',
  'container run': 'run',
  'container create': 'create',
  deploy: 'up',
  remove: 'delete',
  destroy: 'delete',
  'container rm': 'rm',
  compose: 'convert -f compose.yaml, then apply',
  'compose up': 'up',
  'compose down': 'down',
  'compose ps': 'get APP/',
  'compose logs': 'logs APP/',
  'compose restart': 'restart APP/',
  'compose stop': 'stop APP/',
  'compose start': 'start APP/',
  'compose config': 'convert -f compose.yaml',
  show: 'describe',
  'container inspect': 'inspect',
  'image inspect': 'inspect',
  'volume inspect': 'volume inspect',
  'network inspect': 'network inspect',
  container: 'get containers',
  'container ls': 'ps',
  'container ps': 'ps',
  'container stop': 'stop',
  'container start': 'start',
  'container restart': 'restart',
  'container kill': 'kill',
  'container logs': 'logs',
  'container exec': 'exec',
  volumes: 'get volumes',
  networks: 'get networks',
  containers: 'get containers',
  manifests: 'get manifests',
  apps: 'get manifests',
  'image ls': 'images',
  'image rm': 'rmi',
  'image pull': 'pull',
  'image push': 'push',
  'image tag': 'tag',
  'image build': 'build',
  'image load': 'load',
  'image save': 'save',
  'image import': 'import',
  'image prune': 'system prune',
  prune: 'system prune',
  df: 'system df',
  shell: 'exec -it NAME sh',
  sh: 'exec -it NAME sh',
  edit: 'apply -f FILE.yaml, with the manifest changed',
  explain: 'why NAME',
  undo: 'rollback --to GENERATION',
  serve: 'daemon',
  dockerd: 'daemon',
  health: 'doctor',
  check: 'validate -f FILE.yaml',
  lint: 'validate -f FILE.yaml',
};

/** What the words mean, as a hint; null where that is not known. */
export function meaningOf(words: readonly string[]): string | null {
  const [first = '', second = ''] = words.map((word) => word.toLowerCase());
  const key = [`${first} ${second}`, first].find((known) => Object.hasOwn(MEANINGS, known));
  if (key === undefined) return null;
  const [command = '', ...how] = (MEANINGS[key] as string).split(', ');
  return `did you mean ${[`\`tsdocker ${command}\``, ...how].join(', ')}?`;
}
