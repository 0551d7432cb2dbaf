import { openSync, statSync } from 'node:fs'

/** What the launcher is told on its command line, before the command it becomes. */
export interface LandlockBoot {
  /** Real paths that may be read or run, and those that may be written. */
  readonly reads: readonly string[]
  readonly writes: readonly string[]
  /** Descriptors that the command gets; Node marks what it inherits to be closed. */
  readonly keep: readonly number[]
  /** The system-call filter, base64. */
  readonly filter: string
  readonly numbers: {
    readonly createRuleset: number
    readonly addRule: number
    readonly restrictSelf: number
    readonly prctl: number
    readonly fcntl: number
  }
}

interface ForeignFunctions {
  readonly dlopen: (
    path: null,
    functions: object,
  ) => { readonly functions: { readonly syscall: (...values: readonly bigint[]) => bigint } }
  readonly getRawPointer: (bytes: Buffer) => bigint
}

// Node's types do not know it yet.
const { dlopen, getRawPointer } = process.getBuiltinModule('node:ffi' as string) as unknown as ForeignFunctions

/** Names a file without opening it; Node has no constant for it. Source: open(2). */
const O_PATH = 0o10_000_000

// Source: linux/landlock.h, linux/prctl.h.
const execute = 1n << 0n
const [writeFile, readFile, readDirectory] = [1n << 1n, 1n << 2n, 1n << 3n]
const [makeDevice, makeBlock] = [1n << 6n, 1n << 11n]
const [truncate, deviceControl] = [1n << 14n, 1n << 15n]
const everything = (1n << 16n) - 1n
const reading = execute | readFile | readDirectory
const writing = everything & ~makeDevice & ~makeBlock & ~deviceControl
const ofFiles = execute | writeFile | readFile | truncate
const connecting = 3n
const abstractSocketsAndSignals = 3n
const pathRule = 1
const setDescriptorFlags = 2
const [noNewPrivileges, seccomp, filterMode] = [38, 22, 2]

const argument = { arguments: Array.from({ length: 7 }, () => 'i64'), return: 'i64' }
const { functions } = dlopen(null, { syscall: argument })

function call(what: string, ...values: readonly (number | bigint)[]): number {
  const given = [...values, 0, 0, 0, 0, 0, 0].slice(0, 7).map(BigInt)
  const result = functions.syscall(...given)
  if (result >= 0n) return Number(result)
  console.error(`landlock: ${what} was refused`)
  process.exit(77)
}

const boot = JSON.parse(process.argv[2] ?? '{}') as LandlockBoot
const { numbers } = boot

const attributes = Buffer.alloc(24)
attributes.writeBigUInt64LE(everything, 0)
attributes.writeBigUInt64LE(connecting, 8)
attributes.writeBigUInt64LE(abstractSocketsAndSignals, 16)
const ruleset = call('a ruleset', numbers.createRuleset, getRawPointer(attributes), attributes.length, 0)

function allow(path: string, access: bigint): void {
  const rule = Buffer.alloc(16)
  rule.writeBigUInt64LE(statSync(path).isDirectory() ? access : access & ofFiles, 0)
  rule.writeInt32LE(openSync(path, O_PATH), 8)
  call(`a rule for ${path}`, numbers.addRule, ruleset, pathRule, getRawPointer(rule), 0)
}

for (const path of boot.reads) allow(path, reading)
for (const path of boot.writes) allow(path, writing)
for (const descriptor of boot.keep) call('keeping a descriptor', numbers.fcntl, descriptor, setDescriptorFlags, 0)
call('no_new_privs', numbers.prctl, noNewPrivileges, 1)
call('the ruleset', numbers.restrictSelf, ruleset, 0)

const filter = Buffer.from(boot.filter, 'base64')
const program = Buffer.alloc(16)
program.writeUInt16LE(filter.length / 8, 0)
program.writeBigUInt64LE(getRawPointer(filter), 8)
call('the system-call filter', numbers.prctl, seccomp, filterMode, getRawPointer(program))

// OpenSSL ends a process that may not read its configuration.
const [command = '', ...rest] = process.argv.slice(3)
process.execve?.(command, [command, ...rest], { OPENSSL_CONF: '/dev/null' })
