/** The four states the API knows. */
export type VmState = 'running' | 'stopped' | 'suspended' | 'unknown'

/*
 * Words as hypervisors and clouds write them, without case, blanks, `_`, `-` and a leading `VM` or `PowerState/`.
 * A machine on its way to a state is counted as in the state it leaves, because that is what its disks are like now.
 */
const words: Readonly<Record<Exclude<VmState, 'unknown'>, readonly string[]>> = {
  running: [
    'running', 'on', 'active', 'up', 'started', 'poweredon', 'poweron', 'online', 'idle', 'blocked', 'inshutdown',
    'shuttingdown', 'stopping', 'poweringdown', 'rebooting', 'reboot', 'hardreboot', 'suspending', 'pausing',
    'deallocating', 'migrating', 'ready', 'runningcritical',
  ],
  stopped: [
    'stopped', 'off', 'shutoff', 'shutdown', 'poweredoff', 'poweroff', 'halted', 'down', 'terminated', 'deallocated',
    'inactive', 'archive', 'archived', 'new', 'defined', 'nostate', 'crashed', 'starting', 'provisioning', 'staging',
    'pending', 'poweringup', 'created', 'shelved', 'shelvedoffloaded', 'offcritical', 'exited', 'offline',
  ],
  suspended: [
    'suspended', 'suspend', 'paused', 'pause', 'pmsuspended', 'saved', 'hibernated', 'hibernating', 'sleeping',
    'standby', 'resuming', 'dormant', 'savedcritical', 'pausedcritical',
  ],
} // prettier-ignore

const states: ReadonlyMap<string, VmState> = new Map(
  (Object.keys(words) as (keyof typeof words)[]).flatMap((state) => words[state].map((word) => [word, state] as const)),
)

/** What a provider's word for a state means; `unknown` for a word nobody told us. */
export function normaliseState(word: string): VmState {
  const bare = word.toLowerCase().replaceAll(/[^a-z/]/g, '')
  const last = bare.slice(bare.lastIndexOf('/') + 1)
  return states.get(last) ?? states.get(last.replace(/^(vm|instance|power(ed)?state|state)/, '')) ?? 'unknown'
}
