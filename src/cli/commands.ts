/** Every command in the order of the help page. Modules that few of them need are imported when they run. */
import type { Command } from './command-line/command.ts';
import { configure as attach } from './commands/containers/attach.ts';
import { configure as changes } from './commands/containers/changes.ts';
import { configure as commit } from './commands/containers/commit.ts';
import { configure as exec } from './commands/containers/exec.ts';
import { configure as exportFiles } from './commands/containers/export.ts';
import { configure as kill } from './commands/containers/kill.ts';
import { configure as logs } from './commands/containers/logs.ts';
import { configure as restart } from './commands/containers/restart.ts';
import { configure as start } from './commands/containers/start.ts';
import { configure as stop } from './commands/containers/stop.ts';
import { configure as wait } from './commands/containers/wait.ts';
import { configure as cp } from './commands/docker/cp.ts';
import { configure as create } from './commands/docker/create.ts';
import { configure as down } from './commands/docker/down.ts';
import { configure as inspect } from './commands/docker/inspect.ts';
import { configure as network } from './commands/docker/network.ts';
import { configurePause as pause, configureUnpause as unpause } from './commands/docker/pause.ts';
import { configure as port } from './commands/docker/port.ts';
import { configure as ps } from './commands/docker/ps.ts';
import { configure as rename } from './commands/docker/rename.ts';
import { configure as rm } from './commands/docker/rm.ts';
import { configure as run } from './commands/docker/run.ts';
import { configure as stats } from './commands/docker/stats.ts';
import { configure as top } from './commands/docker/top.ts';
import { configure as up } from './commands/docker/up.ts';
import { configure as update } from './commands/docker/update.ts';
import { configure as volume } from './commands/docker/volume.ts';
import { configure as completion } from './commands/host/completion.ts';
import { configure as daemon } from './commands/host/daemon.ts';
import { configure as doctor } from './commands/host/doctor.ts';
import { configure as hostShutdown } from './commands/host/host-shutdown.ts';
import { configure as info } from './commands/host/info.ts';
import { configure as job } from './commands/host/job.ts';
import { configure as jobs } from './commands/host/jobs.ts';
import { configure as system } from './commands/host/system.ts';
import { configure as version } from './commands/host/version.ts';
import { configure as build } from './commands/images/build.ts';
import { configure as image } from './commands/images/image.ts';
import { configure as images } from './commands/images/images.ts';
import { configure as importImage } from './commands/images/import.ts';
import { configure as load } from './commands/images/load.ts';
import { configure as login } from './commands/images/login.ts';
import { configure as logout } from './commands/images/logout.ts';
import { configure as pull } from './commands/images/pull.ts';
import { configure as push } from './commands/images/push.ts';
import { configure as rmi } from './commands/images/rmi.ts';
import { configure as save } from './commands/images/save.ts';
import { configure as search } from './commands/images/search.ts';
import { configure as tag } from './commands/images/tag.ts';
import { configure as tags } from './commands/images/tags.ts';
import { configure as apply } from './commands/manifests/apply.ts';
import { configure as approve } from './commands/manifests/approve.ts';
import { configure as convert } from './commands/manifests/convert.ts';
import { configure as deleteManifests } from './commands/manifests/delete.ts';
import { configure as describe } from './commands/manifests/describe.ts';
import { configure as diff } from './commands/manifests/diff.ts';
import { configure as events } from './commands/manifests/events.ts';
import { configure as get } from './commands/manifests/get.ts';
import { configure as history } from './commands/manifests/history.ts';
import { configure as plan } from './commands/manifests/plan.ts';
import { configure as rollback } from './commands/manifests/rollback.ts';
import { configure as schema } from './commands/manifests/schema.ts';
import { configure as validate } from './commands/manifests/validate.ts';
import { configure as why } from './commands/manifests/why.ts';
import type { CliContext } from './context.ts';

export interface CommandEntry {
  readonly name: string;
  readonly group: string;
  readonly summary: string;
  /** Declares its arguments and options, and what it does. */
  readonly configure: (command: Command, context: CliContext) => void;
}

const MANIFESTS = 'Manifests';
const STATE = 'What is';
const CONTAINERS = 'Containers';
const DOCKER = 'As in Docker';
const IMAGES = 'Images and registries';
const HOST = 'Supervisor and host';

export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'apply',
    group: MANIFESTS,
    summary: 'hand manifests to the supervisor',
    configure: apply,
  },
  {
    name: 'plan',
    group: MANIFESTS,
    summary: 'show what would be done, and why',
    configure: plan,
  },
  { name: 'diff', group: MANIFESTS, summary: 'show which fields differ', configure: diff },
  {
    name: 'delete',
    group: MANIFESTS,
    summary: 'delete applied manifests or resources',
    configure: deleteManifests,
  },
  {
    name: 'history',
    group: MANIFESTS,
    summary: 'list generations and what they changed',
    configure: history,
  },
  {
    name: 'rollback',
    group: MANIFESTS,
    summary: 'go back to an earlier generation',
    configure: rollback,
  },
  {
    name: 'approve',
    group: MANIFESTS,
    summary: 'approve held changes',
    configure: approve,
  },
  {
    name: 'validate',
    group: MANIFESTS,
    summary: 'check manifests without a supervisor',
    configure: validate,
  },
  {
    name: 'convert',
    group: MANIFESTS,
    summary: 'translate Compose, Kubernetes and Quadlet files',
    configure: convert,
  },
  {
    name: 'schema',
    group: MANIFESTS,
    summary: 'print the JSON Schema of manifests',
    configure: schema,
  },
  {
    name: 'get',
    group: STATE,
    summary: 'list containers, images, volumes, networks, manifests',
    configure: get,
  },
  {
    name: 'describe',
    group: STATE,
    summary: 'show everything about one resource',
    configure: describe,
  },
  { name: 'why', group: STATE, summary: 'explain the state of a resource', configure: why },
  { name: 'events', group: STATE, summary: 'show what happened', configure: events },
  { name: 'images', group: STATE, summary: 'list images', configure: images },
  {
    name: 'logs',
    group: CONTAINERS,
    summary: 'print the output of containers',
    configure: logs,
  },
  {
    name: 'exec',
    group: CONTAINERS,
    summary: 'run a command in a container',
    configure: exec,
  },
  {
    name: 'attach',
    group: CONTAINERS,
    summary: 'connect to input and output of a container',
    configure: attach,
  },
  {
    name: 'stop',
    group: CONTAINERS,
    summary: 'stop containers and keep them stopped',
    configure: stop,
  },
  { name: 'start', group: CONTAINERS, summary: 'start stopped containers', configure: start },
  {
    name: 'restart',
    group: CONTAINERS,
    summary: 'stop and start containers',
    configure: restart,
  },
  { name: 'kill', group: CONTAINERS, summary: 'send a signal', configure: kill },
  {
    name: 'wait',
    group: CONTAINERS,
    summary: 'wait for the end and print exit codes',
    configure: wait,
  },
  {
    name: 'changes',
    group: CONTAINERS,
    summary: 'list changes of a container to its image',
    configure: changes,
  },
  {
    name: 'commit',
    group: CONTAINERS,
    summary: 'create an image from the changes of a container',
    configure: commit,
  },
  {
    name: 'export',
    group: CONTAINERS,
    summary: 'write the files of a container as a tar',
    configure: exportFiles,
  },
  { name: 'run', group: DOCKER, summary: 'make a container and start it', configure: run },
  { name: 'create', group: DOCKER, summary: 'make a container', configure: create },
  { name: 'ps', group: DOCKER, summary: 'list containers', configure: ps },
  { name: 'inspect', group: DOCKER, summary: 'describe objects as the Docker API does', configure: inspect },
  { name: 'top', group: DOCKER, summary: 'list the processes of a container', configure: top },
  { name: 'stats', group: DOCKER, summary: 'show what containers use', configure: stats },
  { name: 'port', group: DOCKER, summary: 'show where ports are published', configure: port },
  { name: 'pause', group: DOCKER, summary: 'freeze the processes of containers', configure: pause },
  { name: 'unpause', group: DOCKER, summary: 'let paused containers go on', configure: unpause },
  { name: 'rename', group: DOCKER, summary: 'give a container another name', configure: rename },
  { name: 'update', group: DOCKER, summary: 'change limits and restart policy of containers', configure: update },
  { name: 'cp', group: DOCKER, summary: 'copy files from and to a container', configure: cp },
  { name: 'rm', group: DOCKER, summary: 'remove containers', configure: rm },
  { name: 'network', group: DOCKER, summary: 'list, create, connect and remove networks', configure: network },
  { name: 'volume', group: DOCKER, summary: 'list, create and remove volumes', configure: volume },
  { name: 'up', group: DOCKER, summary: 'apply the file of the working directory', configure: up },
  { name: 'down', group: DOCKER, summary: 'remove what it declares', configure: down },
  {
    name: 'build',
    group: IMAGES,
    summary: 'build an image from a Dockerfile',
    configure: build,
  },
  {
    name: 'pull',
    group: IMAGES,
    summary: 'download images from registries',
    configure: pull,
  },
  {
    name: 'push',
    group: IMAGES,
    summary: 'send an image to its registry',
    configure: push,
  },
  {
    name: 'tag',
    group: IMAGES,
    summary: 'give an image another name',
    configure: tag,
  },
  {
    name: 'rmi',
    group: IMAGES,
    summary: 'remove tags of images, or images',
    configure: rmi,
  },
  {
    name: 'image',
    group: IMAGES,
    summary: 'show how an image was built',
    configure: image,
  },
  {
    name: 'tags',
    group: IMAGES,
    summary: 'list the tags an image has on its registry',
    configure: tags,
  },
  {
    name: 'search',
    group: IMAGES,
    summary: 'search for images on a registry',
    configure: search,
  },
  {
    name: 'login',
    group: IMAGES,
    summary: 'log in to a registry',
    configure: login,
  },
  {
    name: 'logout',
    group: IMAGES,
    summary: 'forget a login',
    configure: logout,
  },
  { name: 'load', group: HOST, summary: 'load an image archive', configure: load },
  { name: 'save', group: HOST, summary: 'write images into an archive', configure: save },
  {
    name: 'import',
    group: HOST,
    summary: 'create an image from the tar of a root filesystem',
    configure: importImage,
  },
  {
    name: 'system',
    group: HOST,
    summary: 'show disk usage, remove unused images',
    configure: system,
  },
  { name: 'daemon', group: HOST, summary: 'run the supervisor', configure: daemon },
  { name: 'info', group: HOST, summary: 'show the supervisor and its host', configure: info },
  { name: 'doctor', group: HOST, summary: 'check what this host can do', configure: doctor },
  { name: 'version', group: HOST, summary: 'show versions of both sides', configure: version },
  { name: 'jobs', group: HOST, summary: 'list what the supervisor runs and can run', configure: jobs },
  { name: 'job', group: HOST, summary: 'run a job of the supervisor by name', configure: job },
  {
    name: 'host-shutdown',
    group: HOST,
    summary: 'stop containers when the host goes down',
    configure: hostShutdown,
  },
  {
    name: 'completion',
    group: HOST,
    summary: 'print a completion script for a shell',
    configure: completion,
  },
];
