"""The order of a round's steps: findings with the agreement, or before it once somebody was complained of or a round was lost."""

import numpy as np
import pytest

from blindscope import SumServer
from blindscope.errors import SumError
from blindscope.rounds import Course, answer
from worlds import World, vectors

LARGE = 300_000


class Engine:
    """Carries the steps to the sites of a world and writes down which were asked; `gone` does not answer."""

    def __init__(self, world, spec, gone=()):
        self.world, self.spec, self.gone, self.steps = world, spec, gone, []

    def ask(self, step, told, of):
        self.steps.append(step)
        for site, blobs in told.items():
            if site not in self.gone:
                yield answer(self.world.sites[site], self.spec, step, blobs, of)


def asked(course, world, spec, given, gone=()):
    """Steps of a round, and its sum or why it is lost."""
    engine = Engine(world, spec, gone)
    server = world.server(spec, world.uploads(spec, given))
    try:
        return engine.steps, course.finish(server, engine.ask)
    except SumError as lost:
        return engine.steps, lost


@pytest.mark.parametrize("values", [10, LARGE])
def test_a_round_is_two_messages_after_the_uploads(tmp_path, values):
    world, said = World(tmp_path), []
    spec = world.spec(values=values)
    given = vectors(spec, range(3))
    steps, (sums, sites) = asked(Course(said.append), world, spec, given)
    assert (steps, sites, said) == (["agree", "open"], [0, 1, 2], [])
    np.testing.assert_array_equal(sums, sum(given.values()))


def test_after_a_lost_round_parts_are_looked_at_first_and_after_a_good_one_no_more(tmp_path):
    world, course = World(tmp_path), Course(lambda text: None)
    specs = [world.spec(number) for number in range(3)]
    given = vectors(specs[0], range(3))
    steps, lost = asked(course, world, specs[0], given, gone=[2])  # of three sites with a colluder all have to sign
    assert steps == ["agree"] and isinstance(lost, SumError)
    steps, (sums, _) = asked(course, world, specs[1], given)
    assert steps == ["findings", "agree", "open"]
    np.testing.assert_array_equal(sums, sum(given.values()))
    assert asked(course, world, specs[2], given)[0] == ["agree", "open"]


def test_a_large_round_goes_on_without_a_site_that_is_gone(tmp_path):
    world, said = World(tmp_path, sites=4), []
    spec = world.spec(values=LARGE)
    given = vectors(spec, range(4))
    steps, (sums, sites) = asked(Course(said.append), world, spec, given, gone=[3])
    assert steps == ["agree", "vouch", "open"] and sites == [0, 1, 2, 3]
    np.testing.assert_array_equal(sums, sum(given.values()))


class Accused:
    """A server whose findings name site 1."""

    sites, openers, accused = [0, 1, 2], [0, 2], [1]
    headers = found = bodies = agree = opened = lambda self, *_: []
    bundle = lambda self, site: b"parts"
    commit = lambda self: (b"set", [])
    silent = lambda self: []
    agreed = lambda self: ([], [])
    result = lambda self: (np.zeros(1), [0, 1, 2])


def test_once_a_site_was_complained_of_parts_are_looked_at_before_a_set_is_named():
    course, steps = Course(lambda text: None), []

    def ask(step, told, of):
        steps.append((step, sorted(told)))
        return [[b""] * (2 if step == "agree" and "bundle" in told[0] else 1)]

    course.finish(Accused(), ask)
    assert steps == [("agree", [0, 1, 2]), ("open", [0, 2])]
    steps.clear()
    course.finish(Accused(), ask)
    assert [step for step, _ in steps] == ["findings", "agree", "open"]


def test_a_site_that_has_signed_with_its_findings_signs_no_second_set(tmp_path):
    world = World(tmp_path, sites=4)
    spec = world.spec()
    uploads = world.uploads(spec, vectors(spec, range(4)))

    def named(sites):
        server = world.server(spec, {i: uploads[i] for i in sites})
        return {"headers": server.headers(), "commitment": [server.commit()[0]], "bodies": server.bodies()}, server

    whole, server = named(range(4))
    found, word = answer(world.sites[0], spec, "agree", {**whole, "bundle": [server.bundle(0)]})
    server.found(found)
    server.agree(word)
    part, server = named(range(3))  # the difference would be site 3's numbers
    with pytest.raises(SumError):
        answer(world.sites[0], spec, "agree", {**part, "bundle": [server.bundle(0)]})


def test_an_answer_with_too_few_byte_strings_is_a_warning(tmp_path):
    world, said = World(tmp_path), []
    spec = world.spec()
    given = vectors(spec, range(3))
    engine = Engine(world, spec)
    short = lambda step, told, of: (reply[:1] for reply in engine.ask(step, told, of))
    with pytest.raises(SumError):
        Course(said.append).finish(world.server(spec, world.uploads(spec, given)), short)
    assert len(said) == 3 and "2 are expected" in said[0]


def test_openers_are_asked_for_once_a_set_is_named(tmp_path):
    world = World(tmp_path)
    with pytest.raises(SumError, match="commit"):
        SumServer(world.roster, world.spec()).openers
