"""Waiting for rights that were given a moment ago."""

import asyncio

import pulumi
from pulumi.runtime.mocks import MockMonitor
from pulumi.runtime.settings import get_monitor

from tidegate.azure.propagation import pause_before_retry


def until_rights_hold(name: str) -> pulumi.ResourceHookBinding | None:
    """Have a resource tried again while Azure does not yet honour the rights that it needs.

    `name` is one that no other hook of the program has: the resource's, or its component's. None under the SDK's mocks,
    which cannot call a program back.
    """
    if isinstance(get_monitor(), MockMonitor):
        return None
    return pulumi.ResourceHookBinding(on_error=[pulumi.ErrorHook(f"{name}.rights", _try_again)])


async def _try_again(failed: pulumi.ErrorHookArgs) -> bool:
    pause = pause_before_retry(failed.errors)
    if pause is None:
        return False
    pulumi.log.info(f"{failed.name}: Azure does not honour its rights yet; trying again in {pause:.0f} s")
    await asyncio.sleep(pause)
    return True
