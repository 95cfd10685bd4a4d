from experts.annotate.detection.kinds import alike, counted, named


def test_a_doubtful_bus_is_a_vehicle_and_a_sure_one_a_bus() -> None:
    assert named("bus", 0.5) == named("truck", 0.62) == "vehicle"
    assert named("bus", 0.8) == "bus"
    assert named("car", 0.4) == "car"
    assert named("person", 0.4) == "person"


def test_a_vehicle_may_be_one_of_the_cars_and_a_bus_may_not() -> None:
    assert alike("car", "vehicle")
    assert alike("vehicle", "bus")
    assert alike("dog", "dog")
    assert not alike("car", "bus")
    assert not alike("vehicle", "motorcycle")


def test_counts_do_not_tell_apart_what_the_detector_cannot() -> None:
    assert counted({"car": 2, "bus": 1, "person": 3}) == {"car": 2, "bus": 1, "person": 3}
    assert counted({"car": 2, "vehicle": 1, "person": 3}) == {"person": 3, "vehicle": 3}
