"""The longest file first: two run side by side."""


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.name != "test_pair.py")
