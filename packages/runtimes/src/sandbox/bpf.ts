/** What happens to one system call. Arguments count from 0; only their low 32 bits are looked at. */
export type Verdict =
  | { readonly kind: 'allow' }
  | { readonly kind: 'refuse'; readonly errno: number }
  /** Refused when the argument has any of these bits; and, where some are needed, when it has none of those. */
  | {
      readonly kind: 'refuse-bits'
      readonly argument: number
      readonly bits: number
      readonly needed?: number
      readonly errno: number
    }
  | { readonly kind: 'refuse-values'; readonly argument: number; readonly values: readonly number[]; readonly errno: number }
  | { readonly kind: 'only-values'; readonly argument: number; readonly values: readonly number[]; readonly errno: number }

/** A filter before it is bytes. */
export interface FilterProgram {
  /** `AUDIT_ARCH_…`; a call made by the rules of another architecture ends the process. */
  readonly audit: number
  /** Calls with numbers from here on are not of this architecture's table. */
  readonly numbersEnd: number
  readonly verdicts: readonly (readonly [number: number, verdict: Verdict])[]
  /** For all other calls. */
  readonly otherwise: Verdict
}

const load = 0x20
const jumpIfEqual = 0x15
const jumpIfAtLeast = 0x35
const jumpIfAnyBit = 0x45
const answer = 0x06

const allowed = 0x7fff_0000
const killed = 0x8000_0000
const errnoAnswer = 0x0005_0000

const numberAt = 0
const architectureAt = 4
const argumentsAt = 16

const enosys = 38

type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, operand: number]

/**
 * A seccomp filter as the kernel takes it. Calls that are allowed whatever their arguments cost nothing: the kernel finds
 * them out once, when the filter is loaded. Source: linux/filter.h, linux/seccomp.h.
 */
export function assemble({ audit, numbersEnd, verdicts, otherwise }: FilterProgram): Uint8Array {
  const instructions: Instruction[] = [
    [load, 0, 0, architectureAt],
    [jumpIfEqual, 1, 0, audit],
    [answer, 0, 0, killed],
    [load, 0, 0, numberAt],
    [jumpIfAtLeast, 0, 1, numbersEnd],
    refusal(enosys),
    ...verdicts.flatMap(([number, verdict]): readonly Instruction[] => {
      const body = bodyOf(verdict)
      return [[jumpIfEqual, 0, body.length, number], ...body]
    }),
    ...bodyOf(otherwise),
  ]
  const bytes = new DataView(new ArrayBuffer(instructions.length * 8))
  for (const [index, [code, ifTrue, ifFalse, operand]] of instructions.entries()) {
    bytes.setUint16(index * 8, code, true)
    bytes.setUint8(index * 8 + 2, ifTrue)
    bytes.setUint8(index * 8 + 3, ifFalse)
    bytes.setUint32(index * 8 + 4, operand, true)
  }
  return new Uint8Array(bytes.buffer)
}

/** Ends in an answer, whatever comes before it. */
function bodyOf(verdict: Verdict): readonly Instruction[] {
  switch (verdict.kind) {
    case 'allow':
      return [allowance]
    case 'refuse':
      return [refusal(verdict.errno)]
    case 'refuse-bits':
      return [
        argument(verdict.argument),
        [jumpIfAnyBit, 0, 1, verdict.bits],
        refusal(verdict.errno),
        ...unlessAny(verdict),
        allowance,
      ]
    case 'refuse-values':
      return [argument(verdict.argument), ...whenOneOf(verdict.values, refusal(verdict.errno)), allowance]
    case 'only-values':
      return [argument(verdict.argument), ...whenOneOf(verdict.values, allowance), refusal(verdict.errno)]
  }
}

const allowance: Instruction = [answer, 0, 0, allowed]

function refusal(errno: number): Instruction {
  return [answer, 0, 0, errnoAnswer | errno]
}

/** Of both architectures the low half comes first. */
function argument(index: number): Instruction {
  return [load, 0, 0, argumentsAt + 8 * index]
}

function unlessAny({ needed, errno }: { readonly needed?: number; readonly errno: number }): readonly Instruction[] {
  return needed === undefined ? [] : [[jumpIfAnyBit, 1, 0, needed], refusal(errno)]
}

function whenOneOf(values: readonly number[], then: Instruction): readonly Instruction[] {
  return values.flatMap((value): readonly Instruction[] => [[jumpIfEqual, 0, 1, value], then])
}
