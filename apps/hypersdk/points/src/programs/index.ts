export { qemuConvert, type ConvertResult, type QemuConversion, type QemuFormat } from './qemu-convert.ts'
export { runProgram, type ProgramResult, type ProgramRun } from './run-program.ts'
