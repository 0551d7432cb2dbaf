import { findNodeAtLocation, parseTree, type Node, type ParseError } from 'jsonc-parser'
import { exliarErrors } from '../errors.ts'
import { readConfig, type ConfigFile, type TreeReader } from '../text/config-file.ts'
import { missingStretch, plainStretch, type MappedText } from '../text/mapped-text.ts'
import { unclearAt } from '../text/unclear-at.ts'
import type { BootSetup } from './boot-setup.ts'
import type { LinePart } from './kernel-line.ts'

const path = '/etc/kernelstub/configuration'

/** Pop!_OS. Its options are a list in a JSON file: each element is one parameter. */
export function readKernelstub(tree: TreeReader): BootSetup {
  const file = readConfig(tree, path)
  if (file === undefined) throw exliarErrors.error('CONFIG_MISSING', { path, reason: 'kernelstub is here', owner: 'kernelstub' })
  const options = optionsOf(file)
  const part = options.type === 'string' ? stringPart(file, options) : listPart(file, options)
  const generates = ['/boot/efi/loader/entries/Pop_OS-*.conf', '/boot/efi/EFI/Pop_OS-*/cmdline']
  const line = { parts: [part], target: part }
  return { bootloader: 'kernelstub', lines: [line], makings: [{ program: 'kernelstub', args: [], generates }], notes: [] }
}

function optionsOf(file: ConfigFile): Node {
  const errors: ParseError[] = []
  const root = parseTree(file.text, errors, { disallowComments: true })
  const [error] = errors
  if (root === undefined || error !== undefined) throw unclearAt(file, error?.offset ?? 0, 'it is not valid JSON')
  const options = findNodeAtLocation(root, ['user', 'kernel_options'])
  if (options?.type === 'string' || options?.type === 'array') return options
  throw unclearAt(file, options?.offset ?? 0, 'user.kernel_options is no list of parameters')
}

function stringPart(file: ConfigFile, { offset, length }: Node): LinePart {
  const value = plainStretch(file.text, offset + 1, offset + length - 1)
  if (value.text.includes('\\')) throw unclearAt(file, offset, 'it holds escaped characters')
  return { file, value }
}

/** The list as one text: what parts two elements, quotes and all, is one space. */
function listPart(file: ConfigFile, list: Node): LinePart {
  const places: MappedText['places'][number][] = []
  let text = ''
  let space: string | undefined
  for (const [index, element] of (list.children ?? []).entries()) {
    const { offset, length } = element
    const inner = file.text.slice(offset + 1, offset + length - 1)
    if (element.type !== 'string' || /[\\"]/.test(inner)) throw unclearAt(file, offset, 'an element is no plain parameter')
    const previous = list.children?.[index - 1]
    if (previous !== undefined) {
      const start = previous.offset + previous.length - 1
      places.push({ start, end: offset + 1, quoting: 'as-is' })
      text += ' '
      space ??= file.text.slice(start, offset + 1)
    }
    for (let at = 0; at < inner.length; at++) places.push({ start: offset + 1 + at, end: offset + 2 + at, quoting: 'as-is' })
    text += inner
  }
  const only = list.children?.[0]
  const empty =
    only === undefined ? missingStretch(list.offset + 1, '"', '"') : plainStretch(file.text, only.offset + 1, only.offset + 1)
  return { file, value: { text, places, space: space ?? '", "', origin: empty.origin } }
}
