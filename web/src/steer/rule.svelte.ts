// The rule by which the selection steers: one that describes it, or what the person has made of that.
class RegionRule {
  text = $state('')
}
export const region = new RegionRule()
