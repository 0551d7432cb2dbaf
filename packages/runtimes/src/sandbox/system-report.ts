import { canDenyNet } from '../confined/child-flags.ts'
import { findLauncher } from '../confined/launcher.ts'
import { landlockAbi, leastLandlockAbi } from './landlock.ts'
import { readKnob, resourceGroups, sandboxTrial, type SandboxTrial } from './machine.ts'
import type { Controller } from './resource-group.ts'
import { hasFilterFor } from './seccomp-filter.ts'
import { defaultUids } from './service-user.ts'

/** One thing that can stand between a plugin and the machine. */
export interface SystemLayer {
  /** Stable: `node-permissions`, `sandbox`, `user-namespaces`, `control-group-memory` … */
  readonly layer: string
  readonly available: boolean
  /** What does it, or would. */
  readonly mechanism: string
  /** One sentence: what it stops, as it is here. */
  readonly detail: string
  /** Why it is not available. */
  readonly missing?: string
  /** The command that makes it available, where there is one. */
  readonly install?: string
}

/** What this machine has to hold plugins with. */
export interface SystemReport {
  /** `true` when the whole sandbox of isolation `os` was built and ran. */
  readonly sandbox: boolean
  readonly layers: readonly SystemLayer[]
}

let report: SystemReport | undefined

/**
 * Looks at this machine once and answers what is really there: the sandbox was built, not guessed. Takes some 50 ms the
 * first time, during which nothing else runs; leaves nothing behind.
 */
export function probeSystem(): SystemReport {
  report ??= look()
  return report
}

function look(): SystemReport {
  const trial = sandboxTrial()
  return {
    sandbox: trial.works,
    layers: [
      ...nodeLayers(),
      sandboxLayer(),
      userNamespaces(),
      systemCallFilter(trial),
      ...(['memory', 'cpu', 'pids'] as const).map(controlGroup),
      lifetime(),
      serviceUser(),
      landlock(),
    ],
  }
}

function nodeLayers(): readonly SystemLayer[] {
  const net = 'Keeps plugins off the network, which they reach through their host as far as they were granted.'
  return [
    {
      layer: 'node-permissions',
      available: process.allowedNodeEnvironmentFlags.has('--permission'),
      mechanism: `node ${process.version} --permission`,
      detail: 'Denies files, programs, threads and native code that were not granted; a seat belt, not a wall.',
    },
    canDenyNet
      ? { layer: 'node-network', available: true, mechanism: 'node --permission', detail: net }
      : { layer: 'node-network', available: false, mechanism: 'node --permission', detail: net, missing: 'this needs Node 26' },
  ]
}

function sandboxLayer(): SystemLayer {
  const trial = sandboxTrial()
  const layer = { layer: 'sandbox', detail: 'Shows a plugin nothing of the machine but what it was granted.' }
  if (trial.works) return { ...layer, available: true, mechanism: trial.version }
  const { missing, install } = trial
  return { ...layer, available: false, mechanism: 'bubblewrap', missing, ...(install === undefined ? {} : { install }) }
}

/** The filter is put in place by the sandbox, or by what stands in for it. */
export function systemCallFilter(trial: SandboxTrial): SystemLayer {
  const detail = 'Refuses the system calls a plugin does not need; those of other namespaces, tracing and devices to all.'
  const layer = { layer: 'system-call-filter', mechanism: 'seccomp', detail }
  if (!hasFilterFor(process.arch))
    return { ...layer, available: false, missing: `there is no table of system calls for ${process.arch}` }
  if (trial.works) return { ...layer, available: true }
  if (trial.weaker !== undefined) return { ...layer, available: true, mechanism: 'seccomp, together with Landlock' }
  const how = trial.install === undefined ? {} : { install: trial.install }
  return { ...layer, available: false, missing: 'there is no sandbox to put it in place', ...how }
}

function userNamespaces(): SystemLayer {
  const layer = { layer: 'user-namespaces', mechanism: 'user_namespaces(7)', detail: 'Lets an ordinary user build a sandbox.' }
  for (const [knob, forbids, allows] of [
    ['user.max_user_namespaces', '0', '15000'],
    ['kernel.unprivileged_userns_clone', '0', '1'],
    ['kernel.apparmor_restrict_unprivileged_userns', '1', '0'],
  ] as const) {
    if (readKnob(knob) !== forbids) continue
    return { ...layer, available: false, missing: `${knob} is ${forbids}`, install: `sysctl -w ${knob}=${allows}` }
  }
  if (readKnob('user.max_user_namespaces') !== undefined) return { ...layer, available: true }
  return { ...layer, available: false, missing: 'the kernel was built without them' }
}

const controllerDetails: Readonly<Record<Controller, string>> = {
  memory:
    "Ends a plugin whose processes together hold more memory than its limit; otherwise Node's heap is limited and the host looks twice a second.",
  cpu: 'Holds a plugin to its share of a processor; otherwise the host looks twice a second and tells.',
  pids: "Refuses processes and threads beyond a plugin's limit; otherwise the host looks twice a second and tells.",
}

function controlGroup(controller: Controller): SystemLayer {
  const mechanism = resourceGroups()?.mechanisms[controller]
  const layer = { layer: `control-group-${controller}`, detail: controllerDetails[controller] }
  if (mechanism !== undefined) return { ...layer, available: true, mechanism }
  return {
    ...layer,
    available: false,
    mechanism: 'cgroup v2, cgroup v1 or a systemd scope',
    missing: 'this process may make no control groups, and no systemd makes any for it',
    install: 'add Delegate=yes to the [Service] section of its systemd unit',
  }
}

function lifetime(): SystemLayer {
  const detail = 'The kernel ends plugins together with their host, however that ends.'
  const path = findLauncher()
  if (path !== undefined) return { layer: 'lifetime', available: true, mechanism: `${path} --pdeathsig`, detail }
  const missing = 'setpriv is missing or cannot tie a process to its parent'
  return { layer: 'lifetime', available: false, mechanism: 'setpriv', detail, missing, install: 'apt-get install util-linux' }
}

function serviceUser(): SystemLayer {
  const detail = 'A plugin runs as a user of its own, who is nobody else on the machine.'
  const { first, count } = defaultUids
  if (process.getuid?.() === 0) {
    return { layer: 'service-user', available: true, mechanism: `user ids ${first} to ${first + count - 1}`, detail }
  }
  const missing = 'only root can give plugins users of their own; they run as the user of this process'
  return { layer: 'service-user', available: false, mechanism: 'setpriv --reuid', detail, missing }
}

function landlock(): SystemLayer {
  const abi = landlockAbi()
  const detail =
    'Stands in for the sandbox where this process is an ordinary user and cannot build one: what is there can be seen, not used.'
  const layer = { layer: 'landlock', detail, mechanism: `Landlock ABI ${abi}` }
  if (abi >= leastLandlockAbi) return { ...layer, available: true }
  return { ...layer, available: false, missing: `this needs Node 26 and a kernel with Landlock ABI ${leastLandlockAbi}` }
}
