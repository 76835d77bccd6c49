"""Who runs a recipient's mailbox: a provider's name for a domain or a mail host, as data."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Provider(NamedTuple):
    """A mailbox provider or mail gateway."""

    name: str
    domains: tuple[str, ...]
    """Domains whose mailboxes it runs; a domain under one of them counts too."""
    hosts: tuple[str, ...]
    """Ends of its mail hosts' names, also those it runs for its customers' domains."""


class Providers:
    """All providers that the rule files know."""

    def __init__(self, providers: Iterable[Provider]) -> None:
        self._by_name = {provider.name: provider for provider in providers}
        self._domains = {domain: one.name for one in self._by_name.values() for domain in one.domains}
        self._hosts = {host: one.name for one in self._by_name.values() for host in (*one.domains, *one.hosts)}

    def __iter__(self) -> Iterator[Provider]:
        return iter(self._by_name.values())

    def named(self, name: str) -> Provider | None:
        """The provider of this name."""
        return self._by_name.get(name)

    def of_domain(self, domain: str | None) -> str | None:
        """The name of the provider that runs a recipient domain, as far as the domain alone tells."""
        return _longest_suffix(domain, self._domains)

    def of_host(self, host: str | None) -> str | None:
        """The name of the provider that a mail host belongs to."""
        return _longest_suffix(host, self._hosts)

    def name(self, *, domain: str | None = None, remote_mta: str | None = None) -> str | None:
        """The provider's name: the host's owner where it is known (a customer's domain tells nothing), else the domain's."""
        return self.of_host(remote_mta) or self.of_domain(domain)


def _longest_suffix(name: str | None, table: dict[str, str]) -> str | None:
    rest = (name or "")[:255].lower().rstrip(".")
    while rest:
        if rest in table:
            return table[rest]
        rest = rest.partition(".")[2]
    return None
