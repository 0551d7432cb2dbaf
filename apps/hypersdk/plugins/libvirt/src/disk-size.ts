import { runProgram } from '@hypersdk/points/programs'
import { libvirtErrors } from './errors.ts'

/** One disk to look at. */
export interface DiskPlace {
  /** Name of the domain, for messages. */
  readonly name: string
  readonly target: string
  readonly path: string
  /** As libvirt names it. */
  readonly format: string
}

/**
 * How many bytes the disk holds, by the file itself: libvirt answers sizes for files that are not there, and its test
 * driver for every disk the same. Errors: `LIBVIRT_DISK_MISSING`, `LIBVIRT_PROGRAM_MISSING`, `LIBVIRT_CONVERT_FAILED`.
 */
export async function diskSize({ name, target, path, format }: DiskPlace, signal: AbortSignal): Promise<number> {
  // Shared, because a machine that runs holds the lock; the format is given, because a guest may write any header.
  const result = await runProgram('qemu-img', { args: ['info', '-U', '--output=json', '-f', format, path], signal })
  switch (result.kind) {
    case 'done':
      return sizeIn(result.output) ?? refuse(`it told no size of ${path}`)
    case 'missing':
      throw libvirtErrors.error('LIBVIRT_PROGRAM_MISSING', {
        program: 'qemu-img',
        package: 'qemu-utils',
        reason: result.reason,
      })
    case 'failed':
      if (/No such file or directory/.test(result.reason)) {
        throw libvirtErrors.error('LIBVIRT_DISK_MISSING', { name, target, path })
      }
      return refuse(result.reason)
  }

  function refuse(reason: string): never {
    throw libvirtErrors.error('LIBVIRT_CONVERT_FAILED', { name, target, path, reason })
  }
}

function sizeIn(output: string): number | undefined {
  const size: unknown = Reflect.get(Object(JSON.parse(output)), 'virtual-size')
  return typeof size === 'number' ? size : undefined
}
