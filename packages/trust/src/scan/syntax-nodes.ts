import type { AnyNode, Program } from 'acorn'

/** A node and what it is a part of. */
export interface PlacedNode {
  readonly node: AnyNode
  readonly parent: AnyNode | undefined
}

/** Every node of a program, parents first. Not recursive: how deep a tree is, strangers decide. */
export function* syntaxNodes(program: Program): Generator<PlacedNode> {
  const open: PlacedNode[] = [{ node: program, parent: undefined }]
  for (let placed = open.pop(); placed !== undefined; placed = open.pop()) {
    yield placed
    for (const member of Object.values(placed.node) as readonly unknown[]) {
      if (Array.isArray(member)) {
        for (const each of member as readonly unknown[]) if (isNode(each)) open.push({ node: each, parent: placed.node })
      } else if (isNode(member)) open.push({ node: member, parent: placed.node })
    }
  }
}

function isNode(value: unknown): value is AnyNode {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string'
}
