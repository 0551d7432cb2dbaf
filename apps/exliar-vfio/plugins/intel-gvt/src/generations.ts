/** Intel's graphics by generation, as far as sharing goes. */
export interface Generation {
  readonly name: string
  /** `gvt-g`: the driver makes devices for guests of it · `sr-iov`: the hardware could · `none`. */
  readonly sharing: 'gvt-g' | 'sr-iov' | 'none'
  /** Device ids, lower case. */
  readonly ids: readonly string[]
}

const splitIds = (text: string): readonly string[] => text.split(' ')

/** Source: Linux, `include/drm/i915_pciids.h` and the platforms its GVT-g accepts. */
export const generations: readonly Generation[] = [
  {
    name: 'Broadwell',
    sharing: 'gvt-g',
    ids: splitIds(
      '1602 1606 160a 160b 160d 160e 1612 1616 161a 161b 161d 161e 1622 1626 162a 162b 162d 162e 1632 1636 163a 163b 163d 163e',
    ),
  },
  {
    name: 'Skylake',
    sharing: 'gvt-g',
    ids: splitIds(
      '1902 1906 190a 190b 190e 1912 1913 1915 1916 1917 191a 191b 191d 191e 1921 1923 1926 1927 192a 192b 192d 1932 193a 193b 193d',
    ),
  },
  { name: 'Apollo Lake', sharing: 'gvt-g', ids: splitIds('0a84 1a84 1a85 5a84 5a85') },
  {
    name: 'Kaby Lake',
    sharing: 'gvt-g',
    ids: splitIds(
      '5902 5906 5908 590a 590b 590e 5912 5913 5915 5916 5917 591a 591b 591c 591d 591e 5921 5923 5926 5927 593b 87c0',
    ),
  },
  {
    name: 'Coffee Lake',
    sharing: 'gvt-g',
    ids: splitIds(
      '3e90 3e91 3e92 3e93 3e94 3e96 3e98 3e99 3e9a 3e9b 3e9c 3ea0 3ea1 3ea2 3ea3 3ea4 3ea5 3ea6 3ea7 3ea8 3ea9 87ca',
    ),
  },
  {
    name: 'Comet Lake',
    sharing: 'gvt-g',
    ids: splitIds('9b21 9b41 9ba2 9ba4 9ba5 9ba8 9baa 9bac 9bc2 9bc4 9bc5 9bc6 9bc8 9bca 9bcc 9be6 9bf6'),
  },
  { name: 'Gemini Lake', sharing: 'none', ids: splitIds('3184 3185') },
  {
    name: 'Ice Lake',
    sharing: 'none',
    ids: splitIds('8a50 8a51 8a52 8a53 8a54 8a56 8a57 8a58 8a59 8a5a 8a5b 8a5c 8a5d 8a70 8a71'),
  },
  { name: 'Rocket Lake', sharing: 'none', ids: splitIds('4c80 4c8a 4c8b 4c8c 4c90 4c9a') },
  { name: 'Tiger Lake', sharing: 'sr-iov', ids: splitIds('9a40 9a49 9a59 9a60 9a68 9a70 9a78 9ac0 9ac9 9ad9 9af8') },
  {
    name: 'Alder Lake',
    sharing: 'sr-iov',
    ids: splitIds(
      '4680 4682 4688 468a 468b 4690 4692 4693 46a0 46a1 46a2 46a3 46a6 46a8 46aa 46b0 46b1 46b2 46b3 46c0 46c1 46c2 46c3',
    ),
  },
  {
    name: 'Raptor Lake',
    sharing: 'sr-iov',
    ids: splitIds('a720 a721 a780 a781 a782 a783 a788 a789 a78a a78b a7a0 a7a1 a7a8 a7a9'),
  },
]

const byId: ReadonlyMap<string, Generation> = new Map(
  generations.flatMap((generation) => generation.ids.map((id): [string, Generation] => [id, generation])),
)

/** The generation of Intel graphics; undefined for those that are not listed: older than Broadwell, or newer than Raptor Lake. */
export function generationOf(deviceId: string): Generation | undefined {
  return byId.get(deviceId)
}
