"""What lesson 05 shows of runs that were made once."""

from deblurgan_lib import paths
from deblurgan_lib.files import read_csv
from deblurgan_lib.notebook import exercises, records


def test_every_run_of_the_table_has_a_letter_that_does_not_tell():
    names = list(dict.fromkeys(row["run"] for row in read_csv(docs("failing_runs.csv"))))
    assert set(names) == set(records.LETTERS)
    assert sorted(records.LETTERS.values()) == list("ABCDEH")
    # Not the order of the file, nor that of the words in the exercise.
    assert [records.LETTERS[name] for name in names] != list("HABCDE")


def test_the_solution_of_the_diagnosis_is_what_the_table_says():
    words = {
        "photographs": "one photograph",
        "learning rate": "learning rate too high",
        "penalty": "no gradient penalty",
        "pairs": "wrong pairs",
        "sigmoid": "sigmoid critic",
    }
    solution = exercises.LESSONS["05"]["diagnosis"].solution()
    assert [records.LETTERS[words[word]] for word in solution] == list("ABCDE")


def test_runs_are_rows_of_numbers():
    runs, psnr_blurred = records.failing_runs()
    assert 20 < psnr_blurred < 40
    assert all(isinstance(row["val_psnr"], float) for rows in runs.values() for row in rows)


def docs(name):
    return paths.home() / "docs" / name
