/*
 * What a plugin may do and use, how that is enforced on this machine, and what it did use. All of it is data: policy
 * decides it, a runtime enforces it, the record shows it.
 */

/** What a plugin may do, as decided by policy. Paths are absolute. */
export interface Grants {
  readonly fsRead: readonly string[]
  readonly fsWrite: readonly string[]
  /** Programs by name. */
  readonly exec: readonly string[]
  /** `host:port` it may connect to. */
  readonly net: readonly string[]
  /** Permissions of the host's own, by name. */
  readonly host: readonly string[]
}

/** Ceilings of one plugin. Each is enforced by the tier or by the kernel; {@link Enforcement} says how. */
export interface Limits {
  /** Of all its processes together where the tier can count that; else of the JavaScript heap. */
  readonly memoryMiB: number
  /** Of one processor, over a second; 100 is one whole processor. */
  readonly cpuPercent: number
  /** Processes and threads of its own; Node itself needs about 12. */
  readonly processes: number
  /** Open descriptors of one process; Node needs at least 24. */
  readonly openFiles: number
  /** The largest file it may write, bytes. */
  readonly fileBytes: number
  /** What its `/tmp` and `/dev/shm` may hold, bytes. */
  readonly tmpBytes: number
  /** What its data directory may hold: bytes, and files and folders. */
  readonly dataBytes: number
  readonly dataFiles: number
  /** Calls at once; more wait. */
  readonly concurrency: number
  /** Calls waiting for a slot; more are refused. */
  readonly queue: number
  /** Longest call without a limit of its own, ms. */
  readonly timeoutMs: number
  /** Longest its event loop may stand still, ms. */
  readonly stallMs: number
  /** One message, bytes. */
  readonly messageBytes: number
  /** What `scope.state` may hold, bytes. */
  readonly stateBytes: number
  /**
   * What it may write of log lines, and to each of its standard output and error, bytes a second, and at once after a
   * pause. More log lines are dropped and counted; a stream is read no faster.
   */
  readonly outputBytesPerSecond: number
  readonly outputBurstBytes: number
}

/** The names of limits as violations, settings and metrics say them. */
export type LimitName =
  | 'memory'
  | 'cpu'
  | 'processes'
  | 'open-files'
  | 'file-size'
  | 'tmp'
  | 'data'
  | 'concurrency'
  | 'time'
  | 'stall'
  | 'message'
  | 'state'
  | 'output'

/**
 * What follows from a violation, beside its event: nothing more · the call that went over is refused or ended · the
 * generation is ended and started again by the next call · it is ended and takes no calls until it is released.
 */
export type LimitAction = 'warn' | 'refuse' | 'restart' | 'quarantine'

/**
 * What was done about a violation: what was to follow · or the version before serves again, because the one that went over
 * was still on probation.
 */
export type TakenAction = LimitAction | 'move-back'

/** One time a plugin went over a limit, or tried something it was not granted. */
export type Violation =
  | {
      readonly kind: 'limit'
      readonly limit: LimitName
      /** A sentence's part with both numbers and units: `held 300 MiB of 256 MiB`. */
      readonly detail: string
    }
  | {
      readonly kind: 'grant'
      /** As a manifest would ask for it: `net:connect example.com:443`. */
      readonly permission: string
      readonly detail: string
    }

/** How far the host trusts a plugin. Source: the defaults per trust level of the threat model. */
export type TrustLevel = 'built-in' | 'first-party' | 'verified' | 'community'

/** How much has to stand between a plugin in a process of its own and the machine. */
export interface Isolation {
  /**
   * `process`: Node's permission model and an empty environment, a seat belt. `os`: also what the operating system keeps:
   * namespaces, a system-call filter, resource groups. A runtime that cannot build `os` says so in `enforces` as
   * `sandbox`, and refuses to start rather than start with less; the kernel asks for `process` when policy waived it.
   */
  readonly floor: 'process' | 'os'
  /** `community` code gets the narrower filters. */
  readonly trust: TrustLevel
}

/** How one permission or limit is enforced. */
export interface Enforcement {
  /** `fs:read`, `net:connect`, `exec`, `sandbox`, `limit:memory` … */
  readonly what: string
  /** `exact` as granted · `coarse` more is possible than granted · `none` not at all. */
  readonly level: 'exact' | 'coarse' | 'none'
  /** How: `node --permission`, `cgroup v2 memory.max`; or what is missing and how to get it. */
  readonly mechanism: string
}

/** What one generation uses, as its tier can tell; what it cannot tell is undefined. Bytes, unless a name says else. */
export interface Usage {
  /** Processor time since its start, ms. */
  readonly cpuMs: number | undefined
  /** Resident memory of all its processes; undefined in tiers that share the host's. */
  readonly memoryBytes: number | undefined
  readonly heapBytes: number | undefined
  readonly processes: number | undefined
  readonly openFiles: number | undefined
  /** Longest its event loop stood still since the last time this was asked, ms. */
  readonly stallMs: number | undefined
  /** What went through its host to the network; absent where it reaches the network by itself, or not at all. */
  readonly network?: NetworkUse | undefined
}

/** What one generation's connections came to so far. */
export interface NetworkUse {
  readonly connections: number
  /** Of these, open now. */
  readonly open: number
  /** Refused connections. */
  readonly refused: number
  /** From the network to the plugin, and the other way. */
  readonly receivedBytes: number
  readonly sentBytes: number
}

/** What can be recorded of a running plugin: where its processor time goes, or what its heap holds. */
export type ProfileKind = 'cpu' | 'heap'

/** How a profile is taken. */
export interface ProfileOptions {
  /** How long the processor is watched; a heap is taken at once. */
  readonly durationMs: number
  /** Gives up; nothing goes on in the plugin. */
  readonly signal: AbortSignal
}
