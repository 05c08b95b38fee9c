/** Every command in the order of the help page. A command's file is loaded when it is the one that was asked for. */
import type { Command } from './command-line/command.ts';
import type { CliContext } from './context.ts';

export interface CommandModule {
  readonly configure: (command: Command, context: CliContext) => void;
}

export interface CommandEntry {
  readonly name: string;
  readonly group: string;
  readonly summary: string;
  readonly load: () => Promise<CommandModule>;
}

const MANIFESTS = 'Manifests';
const STATE = 'What is';
const CONTAINERS = 'Containers';
const IMAGES = 'Images and registries';
const HOST = 'Supervisor and host';

export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'apply',
    group: MANIFESTS,
    summary: 'hand manifests to the supervisor',
    load: () => import('./commands/apply.ts'),
  },
  {
    name: 'plan',
    group: MANIFESTS,
    summary: 'show what would be done, and why',
    load: () => import('./commands/plan.ts'),
  },
  { name: 'diff', group: MANIFESTS, summary: 'show which fields differ', load: () => import('./commands/diff.ts') },
  {
    name: 'delete',
    group: MANIFESTS,
    summary: 'take back what was applied',
    load: () => import('./commands/delete.ts'),
  },
  {
    name: 'history',
    group: MANIFESTS,
    summary: 'list generations and what they changed',
    load: () => import('./commands/history.ts'),
  },
  {
    name: 'rollback',
    group: MANIFESTS,
    summary: 'go back to an earlier generation',
    load: () => import('./commands/rollback.ts'),
  },
  {
    name: 'approve',
    group: MANIFESTS,
    summary: 'let through what is held back',
    load: () => import('./commands/approve.ts'),
  },
  {
    name: 'validate',
    group: MANIFESTS,
    summary: 'check manifests without a supervisor',
    load: () => import('./commands/validate.ts'),
  },
  {
    name: 'convert',
    group: MANIFESTS,
    summary: 'translate Compose, Kubernetes and Quadlet files',
    load: () => import('./commands/convert.ts'),
  },
  {
    name: 'schema',
    group: MANIFESTS,
    summary: 'print the JSON Schema of manifests',
    load: () => import('./commands/schema.ts'),
  },
  {
    name: 'get',
    group: STATE,
    summary: 'list containers, images, volumes, networks, manifests',
    load: () => import('./commands/get.ts'),
  },
  {
    name: 'describe',
    group: STATE,
    summary: 'show everything about one resource',
    load: () => import('./commands/describe.ts'),
  },
  { name: 'why', group: STATE, summary: 'tell why something is as it is', load: () => import('./commands/why.ts') },
  { name: 'events', group: STATE, summary: 'show what happened', load: () => import('./commands/events.ts') },
  { name: 'images', group: STATE, summary: 'list images', load: () => import('./commands/images.ts') },
  {
    name: 'logs',
    group: CONTAINERS,
    summary: 'print what a container wrote',
    load: () => import('./commands/logs.ts'),
  },
  {
    name: 'exec',
    group: CONTAINERS,
    summary: 'run a command in a container',
    load: () => import('./commands/exec.ts'),
  },
  {
    name: 'attach',
    group: CONTAINERS,
    summary: 'connect to what a container reads and writes',
    load: () => import('./commands/attach.ts'),
  },
  {
    name: 'stop',
    group: CONTAINERS,
    summary: 'stop containers and keep them stopped',
    load: () => import('./commands/stop.ts'),
  },
  { name: 'start', group: CONTAINERS, summary: 'start stopped containers', load: () => import('./commands/start.ts') },
  {
    name: 'restart',
    group: CONTAINERS,
    summary: 'stop and start containers',
    load: () => import('./commands/restart.ts'),
  },
  { name: 'kill', group: CONTAINERS, summary: 'send a signal', load: () => import('./commands/kill.ts') },
  {
    name: 'wait',
    group: CONTAINERS,
    summary: 'wait for the end and print exit codes',
    load: () => import('./commands/wait.ts'),
  },
  {
    name: 'changes',
    group: CONTAINERS,
    summary: 'list what a container changed of its image',
    load: () => import('./commands/changes.ts'),
  },
  {
    name: 'commit',
    group: CONTAINERS,
    summary: 'make an image of what a container changed',
    load: () => import('./commands/commit.ts'),
  },
  {
    name: 'export',
    group: CONTAINERS,
    summary: "write a container's files as a tar",
    load: () => import('./commands/export.ts'),
  },
  {
    name: 'build',
    group: IMAGES,
    summary: 'make an image from a Dockerfile',
    load: () => import('./commands/build.ts'),
  },
  {
    name: 'pull',
    group: IMAGES,
    summary: 'bring images of registries here',
    load: () => import('./commands/pull.ts'),
  },
  {
    name: 'push',
    group: IMAGES,
    summary: 'send an image to its registry',
    load: () => import('./commands/push.ts'),
  },
  {
    name: 'tag',
    group: IMAGES,
    summary: 'give an image another name',
    load: () => import('./commands/tag.ts'),
  },
  {
    name: 'rmi',
    group: IMAGES,
    summary: 'take away names of images, or images',
    load: () => import('./commands/rmi.ts'),
  },
  {
    name: 'image',
    group: IMAGES,
    summary: 'show how an image was made',
    load: () => import('./commands/image.ts'),
  },
  {
    name: 'tags',
    group: IMAGES,
    summary: 'list the tags an image has on its registry',
    load: () => import('./commands/tags.ts'),
  },
  {
    name: 'search',
    group: IMAGES,
    summary: 'look for images on a registry',
    load: () => import('./commands/search.ts'),
  },
  {
    name: 'login',
    group: IMAGES,
    summary: 'log in to a registry',
    load: () => import('./commands/login.ts'),
  },
  {
    name: 'logout',
    group: IMAGES,
    summary: 'forget a login',
    load: () => import('./commands/logout.ts'),
  },
  { name: 'load', group: HOST, summary: 'load an image archive', load: () => import('./commands/load.ts') },
  { name: 'save', group: HOST, summary: 'write images into an archive', load: () => import('./commands/save.ts') },
  {
    name: 'import',
    group: HOST,
    summary: 'make an image from the tar of a root filesystem',
    load: () => import('./commands/import.ts'),
  },
  {
    name: 'system',
    group: HOST,
    summary: 'show what the disk is used for, remove unused images',
    load: () => import('./commands/system.ts'),
  },
  { name: 'daemon', group: HOST, summary: 'run the supervisor', load: () => import('./commands/daemon.ts') },
  { name: 'info', group: HOST, summary: 'show the supervisor and its host', load: () => import('./commands/info.ts') },
  { name: 'doctor', group: HOST, summary: 'check what this host can do', load: () => import('./commands/doctor.ts') },
  { name: 'version', group: HOST, summary: 'show versions of both sides', load: () => import('./commands/version.ts') },
  {
    name: 'host-shutdown',
    group: HOST,
    summary: 'stop containers when the host goes down',
    load: () => import('./commands/host-shutdown.ts'),
  },
  {
    name: 'completion',
    group: HOST,
    summary: 'print a completion script for a shell',
    load: () => import('./commands/completion.ts'),
  },
];
