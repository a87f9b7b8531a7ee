"""The pack as the engine runs it: `pulumi preview --policy-pack policy`."""

from pulumi_policy import EnforcementLevel, PolicyPack

from policy.pack import POLICIES

PolicyPack(name="tidegate", enforcement_level=EnforcementLevel.ADVISORY, policies=POLICIES)
