from benchmarks.serving.texts import reviews_of


def test_reviews_have_as_many_words_as_asked_for_and_differ():
    for words in (10, 20, 200):
        texts = reviews_of(words, 50)
        assert {len(text.split()) for text in texts} == {words}
        assert len(set(texts)) == 50


def test_the_same_words_come_each_time():
    assert reviews_of(20, 3) == reviews_of(20, 3)
    assert b" ".join(reviews_of(10, 4)) == b" ".join(reviews_of(20, 2))
