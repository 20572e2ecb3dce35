"""Sums through sites' folders: exact, once, and what an attacker gets."""

import pickle
import stat

import numpy as np
import pytest

from blindscope import Roster, SumServer, SumSite
from blindscope.errors import SumError
from worlds import World, vectors


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def test_the_sum_is_the_integer_sum(world):
    for number, values in enumerate([1, 10, 700]):
        spec = world.spec(number, values=values, max=65535)
        given = vectors(spec, range(3), seed=number)
        sums, sites = world.sum(spec, given)
        np.testing.assert_array_equal(sums, sum(given.values()))
        assert sites == [0, 1, 2] and sums.dtype == np.uint64


def test_what_leaves_a_site_is_small(world):
    spec = world.spec(values=768, max=65535)
    uploads = world.uploads(spec, vectors(spec, range(3)))
    server = world.server(spec, uploads)
    found = world.sites[0].findings(spec, server.headers(), server.bundle(0))
    commitment, _ = world.commit(spec, server)
    words = [site.agree(spec, commitment, bodies=server.bodies()) for site in world.sites]
    opening = world.sites[0].open(spec, server.headers(), server.bundle(0), commitment, words)
    later = world.roster.upload_bytes(768, 65535)
    assert (later, len(uploads[0]), len(found), len(words[0]), len(opening)) == (4646, 7110, 131, 162, 1220)


def test_a_large_round_needs_no_bodies_and_an_absent_signer_is_vouched_for(tmp_path):
    world = World(tmp_path, sites=4, threshold=2, colluders=1)
    spec = world.spec(values=300_000, max=65535)
    given = vectors(spec, range(4))
    server = world.server(spec, world.uploads(spec, given))
    commitment, _ = world.commit(spec, server)
    assert server.bodies() is None
    for i in (0, 1, 2):
        server.agree(world.sites[i].agree(spec, commitment))
    assert server.silent() == [3]
    with pytest.raises(SumError):
        server.agreed()
    server.vouched(world.sites[0].vouch(spec, commitment, 3, server.body(3)))
    words, vouches = server.agreed()
    for i in (0, 1):
        server.opened(world.sites[i].open(spec, server.headers(), server.bundle(i), commitment, words, vouches=vouches))
    np.testing.assert_array_equal(server.result()[0], sum(given.values()))


def test_a_lost_site_is_left_out(tmp_path):
    world = World(tmp_path, sites=4, threshold=2, colluders=1)
    spec = world.spec()
    given = vectors(spec, [0, 2, 3])
    sums, sites = world.sum(spec, given)
    np.testing.assert_array_equal(sums, sum(given.values()))
    assert sites == [0, 2, 3]


def test_an_upload_is_sent_again_as_it_was_and_never_with_other_values(world):
    spec = world.spec()
    given = vectors(spec, range(3))
    first = world.uploads(spec, given)
    del world.sites  # the processes end
    world.sites = [SumSite(f, world.roster) for f in world.folders]
    again = world.uploads(spec, vectors(spec, range(3), seed=9))
    assert again == first


def test_values_of_a_round_enter_no_other(world):
    spec = world.spec()
    given = vectors(spec, range(3))
    world.uploads(spec, given)
    other = world.spec(number=1)
    with pytest.raises(SumError):
        world.sites[0].upload(other, given[0], f"{spec['job']}/{spec['number']}")


def test_a_server_that_asks_for_a_second_set_is_refused(tmp_path):
    world = World(tmp_path, sites=4, threshold=2, colluders=1)
    spec = world.spec()
    uploads = world.uploads(spec, vectors(spec, range(4)))
    all_four = world.server(spec, uploads)
    commitment, _ = world.commit(spec, all_four)
    world.finish(spec, all_four, commitment)
    without = world.server(spec, {i: uploads[i] for i in (0, 1, 2)})
    other, _ = world.commit(spec, without)
    for i in (0, 1, 2):
        with pytest.raises(SumError):
            world.sites[i].agree(spec, other, bodies=without.bodies())


def test_what_is_opened_was_signed_by_a_quorum(world):
    spec = world.spec()
    server = world.server(spec, world.uploads(spec, vectors(spec, range(3))))
    commitment, _ = world.commit(spec, server)
    word = world.sites[0].agree(spec, commitment, bodies=server.bodies())
    server.agree(word)
    with pytest.raises(SumError):
        server.agreed()
    with pytest.raises(SumError):  # nor does a site open when the server skips that check
        world.sites[0].open(spec, server.headers(), server.bundle(0), commitment, [word])


def test_a_sum_of_other_bodies_is_not_signed(world):
    spec = world.spec()
    server = world.server(spec, world.uploads(spec, vectors(spec, range(3))))
    commitment, _ = world.commit(spec, server)
    bodies = server.bodies()
    bodies[0] = bodies[1]
    with pytest.raises(SumError):
        world.sites[0].agree(spec, commitment, bodies=bodies)


def test_a_spoiled_upload_is_not_taken(world):
    spec = world.spec()
    upload = world.uploads(spec, vectors(spec, [0]))[0]
    server = SumServer(world.roster, spec)
    signed = world.roster.upload_bytes(spec["values"], spec["max"])
    assert signed < len(upload)  # the pair keys of a first upload are between the sites; a holder that cannot use them says so
    for at in range(0, signed, max(1, signed // 40)):
        spoiled = bytearray(upload)
        spoiled[at] ^= 1
        with pytest.raises(SumError):
            server.take(0, bytes(spoiled))
    with pytest.raises(SumError):
        server.take(1, upload)
    with pytest.raises(SumError):
        server.take(0, upload[:-1])
    server.take(0, upload)


def test_a_folder_is_one_process_s_and_its_owner_s(world, tmp_path):
    with pytest.raises(SumError, match="another process"):
        SumSite(world.folders[0], world.roster)
    assert stat.S_IMODE(world.folders[0].stat().st_mode) == 0o700
    assert all(stat.S_IMODE(f.stat().st_mode) == 0o600 for f in world.folders[0].iterdir())
    with pytest.raises(SumError):
        SumSite.enrol(world.folders[0], 0, "again")
    with pytest.raises(TypeError):
        pickle.dumps(world.sites[0])


def test_rosters(world):
    copy = pickle.loads(pickle.dumps(world.roster))
    assert copy.digest == world.roster.digest and copy.sites == [(i, f"hospital {i}") for i in range(3)]
    with pytest.raises(SumError):
        Roster.from_bytes(b"{}")
    with pytest.raises(SumError):
        Roster.of([b"nonsense"], study="s", threshold=2, colluders=1)


def test_a_cut_last_line_of_marks_is_forgotten_and_a_cut_earlier_one_refused(world):
    spec = world.spec()
    world.uploads(spec, vectors(spec, range(3)))
    del world.sites
    marks = world.folders[0] / "marks.jsonl"
    whole = marks.read_bytes()
    marks.write_bytes(whole + b'{"Agreed":')
    site = SumSite(world.folders[0], world.roster)
    assert marks.read_bytes() == whole
    del site
    marks.write_bytes(b"{}\n" + whole)
    with pytest.raises(SumError, match="line 1"):
        SumSite(world.folders[0], world.roster)
